"""How an original tensor is laid out in the port, where the two shapes differ harmlessly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from porting.comparison.masks import allowed, like


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to bring an original tensor into the port's shape.

    Attributes:
        kind: ``same``, ``first row`` (the port computes one row for a batch of equal ones), ``repeated`` (the
            original does), ``permute`` (the axes are in another order, as time first), ``reshape`` (leading axes
            flattened or unflattened) or ``mask`` (both are attention masks, compared by what they let through).
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
        if self.kind == "mask":
            mask = allowed(tensor)
            assert mask is not None
            return mask.expand(self.shape)
        return tensor.reshape(self.shape)

    def view(self, ported: torch.Tensor) -> torch.Tensor:
        """The ported tensor in the form in which it is compared."""
        if self.kind != "mask":
            return ported
        mask = allowed(ported)
        return ported if mask is None else mask

    def feed(self, original: torch.Tensor, ported: torch.Tensor) -> torch.Tensor:
        """What takes the place of a ported tensor: new, in its shape, dtype and manner."""
        value = self.apply(original)
        if self.kind == "mask":
            return like(value, ported)
        return value.to(ported).clone(memory_format=torch.contiguous_format)

    def __str__(self) -> str:
        """The layout in print; empty if nothing changes."""
        if self.kind == "same":
            return ""
        if self.kind == "mask":
            return "by what the mask lets through"
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


def find_mask_layout(original: torch.Tensor, ported: torch.Tensor) -> Layout | None:
    """The layout of two attention masks, where the original's one fits the port's shape; None if either is none."""
    mask = allowed(original)
    if mask is None or allowed(ported) is None or mask.dim() > ported.dim():
        return None
    fits = all(a in (1, b) for a, b in zip(reversed(mask.shape), reversed(ported.shape), strict=False))
    return Layout("mask", tuple(ported.shape)) if fits else None


def _reshapes(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether only leading axes are flattened or unflattened."""
    return bool(own) and bool(shape) and own[-1] == shape[-1] and math.prod(own) == math.prod(shape)
