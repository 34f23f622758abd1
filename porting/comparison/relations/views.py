"""The forms in which a known tensor can fit another's shape: broadcast, in another layout, a part of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from porting.comparison.layout import find_layout
from porting.text import show

LARGEST_OFFSET = 2
MOST_PARTS = 4
SHORT_TABLE = 8


@dataclass(frozen=True, slots=True)
class View:
    """A known tensor in a form that broadcasts to a shape.

    Attributes:
        name: of the known tensor.
        text: the name in print, with what was done to it.
        tensor: it broadcasts to the shape.
        cost: 0 for the tensor as it is, more for an odder form.
    """

    name: str
    text: str
    tensor: torch.Tensor
    cost: float


def views(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> Iterator[View]:
    """A known tensor in every form that fits, the plainest first."""
    printed = f"`{show(name)}`"
    seen: set[tuple[int, ...]] = set()
    for form, note, cost in _forms(tensor, shape):
        key = (form.data_ptr(), form.storage_offset(), *form.shape, *form.stride())
        if key not in seen:
            seen.add(key)
            yield View(name, f"{printed}{note}", form, cost)


def _forms(tensor: torch.Tensor, shape: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, str, float]]:
    if not tensor.numel():
        return
    bare = _without_leading_ones(tensor)
    if _broadcasts(bare, shape):
        yield bare, "", 0.0
    else:
        layout = find_layout(tensor, shape)
        if layout is not None:
            yield layout.apply(tensor), f" ({layout})", 0.1
    yield from _turned(tensor, shape)
    yield from _along_axes(bare, shape)
    yield from _rows(bare, shape)
    yield from _single_rows(bare, shape)
    yield from _parts(bare, shape)


def _along_axes(tensor: torch.Tensor, shape: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, str, float]]:
    """A vector along another axis than the last, a mask of the leading axes."""
    if tensor.dim() == 1 and tensor.numel() > 1:
        for axis in range(len(shape) - 1):
            if shape[axis] == tensor.numel():
                yield tensor.reshape(-1, *(1,) * (len(shape) - 1 - axis)), f" along axis {axis}", 0.1
    elif 1 < tensor.dim() < len(shape) and tuple(tensor.shape) == shape[: tensor.dim()]:
        yield tensor.reshape(*tensor.shape, *(1,) * (len(shape) - tensor.dim())), " for each position", 0.1


def _rows(tensor: torch.Tensor, shape: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, str, float]]:
    """Successive rows of a table that is longer than needed, as of positions."""
    if tensor.dim() != 2 or len(shape) < 2 or tensor.shape[1] != shape[-1] or tensor.shape[0] <= shape[-2]:
        return
    spare = tensor.shape[0] - shape[-2]
    for first in sorted({*range(min(spare, LARGEST_OFFSET) + 1), spare}):
        yield tensor[first : first + shape[-2]], f"[{first}:{first + shape[-2]}]", 0.1 + 0.05 * (first > 0)


def _single_rows(tensor: torch.Tensor, shape: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, str, float]]:
    """One row of a short table for all places, as of a token's type."""
    if tensor.dim() == 2 and len(shape) > 1 and tensor.shape[1] == shape[-1] and len(tensor) <= SHORT_TABLE:
        for row in range(len(tensor)):
            yield tensor[row], f"[{row}]", 0.2


def _parts(tensor: torch.Tensor, shape: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, str, float]]:
    """One of several equal parts of the last axis, in blocks or in turns."""
    if not shape or not tensor.dim() or tensor.shape[-1] <= shape[-1] or tensor.shape[-1] % max(shape[-1], 1):
        return
    count = tensor.shape[-1] // shape[-1]
    if count > MOST_PARTS or not _broadcasts(tensor[..., : shape[-1]], shape):
        return
    for part in range(count):
        yield tensor.chunk(count, -1)[part], f", part {part + 1} of {count}", 0.2
        yield tensor[..., part::count], f", every {count}th from {part}", 0.3


def _turned(tensor: torch.Tensor, shape: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, str, float]]:
    """Heads merged or split, with the transposition that belongs to it."""
    own = tuple(tensor.shape)
    if len(own) == 4 and shape == (own[0], own[2], own[1] * own[3]):
        yield tensor.transpose(1, 2).reshape(shape), ", heads merged", 0.1
    elif len(own) == 3 and len(shape) == 4 and own == (shape[0], shape[2], shape[1] * shape[3]):
        split = tensor.reshape(shape[0], shape[2], shape[1], shape[3])
        yield split.transpose(1, 2), ", heads split", 0.1


def _without_leading_ones(tensor: torch.Tensor) -> torch.Tensor:
    while tensor.dim() > 1 and tensor.shape[0] == 1:
        tensor = tensor[0]
    return tensor


def _broadcasts(tensor: torch.Tensor, shape: tuple[int, ...]) -> bool:
    if tensor.dim() > len(shape):
        return False
    fits = all(a in (1, b) for a, b in zip(reversed(tensor.shape), reversed(shape), strict=False))
    return fits and math.prod(tensor.shape) <= math.prod(shape)
