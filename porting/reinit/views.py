"""Tensors as rows that can be found again elsewhere: hashed by their bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from porting.trace.sketches import projection

LEAST_WIDTH = 4
"""Shorter rows are found by chance."""


PIECE = 1 << 20
"""Elements that are hashed at a time."""


@dataclass(frozen=True, slots=True)
class View:
    """A way to see a tensor as a matrix of rows, and back."""

    name: str
    there: Callable[[torch.Tensor], torch.Tensor]
    back: Callable[[torch.Tensor, torch.Size], torch.Tensor]


FLAT = View("rows", lambda t: t.flatten(1), lambda rows, shape: rows.reshape(shape))
LAST = View("rows of every part", lambda t: t.reshape(-1, t.shape[-1]), lambda rows, shape: rows.reshape(shape))
COLUMNS = View(
    "columns",
    lambda t: t.mT.reshape(-1, t.shape[-2]),
    lambda rows, shape: rows.reshape(*shape[:-2], shape[-1], shape[-2]).mT.contiguous(),
)


def views_of(tensor: torch.Tensor) -> list[View]:
    """The views of a tensor of two or more dimensions whose rows are wide enough to be told apart."""
    if tensor.dim() < 2:
        return []
    found = [FLAT, *([LAST] if tensor.dim() > 2 else []), COLUMNS]
    return [view for view in found if view.there(tensor).shape[1] >= LEAST_WIDTH]


def hashes(rows: torch.Tensor) -> np.ndarray:
    """One number per row of a matrix; rows of equal values, whatever their dtype, have equal numbers."""
    factors = (projection(0, rows.shape[1]) * 2.0**62).astype(np.int64) | 1
    pieces = torch.split(rows.detach(), max(1, PIECE // rows.shape[1]))
    with np.errstate(over="ignore"):
        return np.concatenate([(_bits(piece) * factors).sum(1) for piece in pieces])


def content(tensor: torch.Tensor) -> tuple[int, int, int]:
    """A key that tensors of equal values share in whatever order of axes."""
    total = square = np.int64(0)
    with np.errstate(over="ignore"):
        for piece in torch.split(tensor.detach().reshape(-1), PIECE):
            bits = _bits(piece)
            total += bits.sum()
            square += (bits * (bits | 1)).sum()
    return tensor.numel(), int(total), int(square)


def _bits(values: torch.Tensor) -> np.ndarray:
    """The bits of values as float32, which has one zero; int64."""
    plain = (values.to("cpu", torch.float32) + 0.0).contiguous()
    return np.asarray(plain.view(torch.int32).numpy(), dtype=np.int64)
