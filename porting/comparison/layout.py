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
            original does) or ``reshape`` (leading axes flattened or unflattened).
        shape: the port's shape.
    """

    kind: str
    shape: tuple[int, ...]

    def apply(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring an original tensor into the port's shape."""
        if self.kind == "first row":
            return tensor[:1]
        if self.kind == "repeated":
            return tensor.expand(self.shape)
        return tensor.reshape(self.shape)

    def __str__(self) -> str:
        """The layout in print; empty if nothing changes."""
        return "" if self.kind == "same" else f"{self.kind} to {self.shape}"


def find_layout(original: torch.Tensor, shape: tuple[int, ...]) -> Layout | None:
    """The layout that brings ``original`` into ``shape``, or None if only the values could tell."""
    own = tuple(original.shape)
    if own == shape:
        return Layout("same", shape)
    if len(own) == len(shape) and own[1:] == shape[1:]:
        if shape[0] == 1 and own[0] > 1 and bool((original == original[:1]).all()):
            return Layout("first row", shape)
        return Layout("repeated", shape) if own[0] == 1 else None
    if own and shape and own[-1] == shape[-1] and math.prod(own) == math.prod(shape) and len(own) != len(shape):
        return Layout("reshape", shape)
    return None
