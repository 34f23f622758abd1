"""Tensors as rows that can be found again elsewhere: hashed by their bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from porting.trace.sketches import projection

LEAST_WIDTH = 4
"""Shorter rows are found by chance."""


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
    values = (rows.detach().to("cpu", torch.float32) + 0.0).contiguous()
    bits = values.view(torch.int32).numpy().astype(np.int64)
    factors = (projection(0, bits.shape[1]) * 2.0**62).astype(np.int64) | 1
    with np.errstate(over="ignore"):
        return np.asarray((bits * factors).sum(1))


def content(tensor: torch.Tensor) -> tuple[int, int, int]:
    """A key that tensors of equal values share in whatever order of axes."""
    values = (tensor.detach().to("cpu", torch.float32) + 0.0).reshape(-1)
    bits = values.view(torch.int32).numpy().astype(np.int64)
    with np.errstate(over="ignore"):
        return len(bits), int(bits.sum()), int((bits * (bits | 1) * np.int64(0x9E3779B97F4A7C1)).sum())
