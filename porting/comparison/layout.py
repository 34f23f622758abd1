"""How an original tensor is laid out in the port, where the two shapes differ harmlessly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to bring an original tensor into the port's shape.

    Attributes:
        kind: ``same``, ``first row`` (the port computes one row for a batch of equal ones), ``repeated`` (the
            original does), ``permute`` (the axes are in another order, as time first) or ``reshape`` (leading axes
            flattened or unflattened).
        shape: the port's shape.
        axes: the original axis at each of the port's axes, for ``permute``.
    """

    kind: str
    shape: tuple[int, ...]
    axes: tuple[int, ...] = ()

    def apply(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring an original tensor into the port's shape."""
        if self.kind == "first row":
            return tensor[:1]
        if self.kind == "repeated":
            return tensor.expand(self.shape)
        if self.kind == "permute":
            return tensor.permute(self.axes)
        return tensor.reshape(self.shape)

    def __str__(self) -> str:
        """The layout in print; empty if nothing changes."""
        if self.kind == "same":
            return ""
        return f"permute{self.axes}" if self.kind == "permute" else f"{self.kind} to {self.shape}"


def find_layout(original: torch.Tensor, shape: tuple[int, ...]) -> Layout | None:
    """The layout that brings ``original`` into ``shape``; None if there is none that the shapes alone decide."""
    own = tuple(original.shape)
    if own == shape:
        return Layout("same", shape)
    if len(own) != len(shape):
        return Layout("reshape", shape) if _reshapes(own, shape) else None
    if own[1:] == shape[1:]:
        if shape[0] == 1 and own[0] > 1 and bool((original == original[:1]).all()):
            return Layout("first row", shape)
        return Layout("repeated", shape) if own[0] == 1 else None
    if sorted(own) == sorted(shape) and len(set(own)) == len(own):
        return Layout("permute", shape, tuple(own.index(length) for length in shape))
    return None


def _reshapes(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether only leading axes are flattened or unflattened."""
    return bool(own) and bool(shape) and own[-1] == shape[-1] and math.prod(own) == math.prod(shape)
