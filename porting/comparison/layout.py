"""How an original tensor is laid out in the port, where the two differ in the order of axes or in shape alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product

import torch

from porting.comparison.masks import allowed, closed_like, closes_alike, is_masked_bias, levelled, like

Shape = tuple[int, ...]
AGREES = 0.05
"""Relative distance of two tensors from which a layout is beyond doubt: with a wrong one it is about 1."""
LIKELY = 0.5
"""The same for a layout that is only the best of several, as a fault upstream blurs all of them."""
SAMPLE = 4096
"""Elements looked at to tell layouts, or leaves of one shape, apart."""
MOST = 64
"""Layouts that are tried for one tensor."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to bring an original tensor into the port's shape.

    Attributes:
        kind: ``same``, ``first row`` (the port computes one row for a batch of equal ones), ``repeated`` (the
            original does), ``permute`` (the axes are in another order, as time first), ``reshape`` (axes merged, split
            or of length one), ``rearrange`` (split, permuted and merged, as heads) or ``mask`` (both are attention
            masks, compared by what they let through).
        shape: the port's shape.
        axes: the original axis at each of the port's axes, for ``permute`` and ``rearrange``.
        split: the shape in which the original's axes are permuted, for ``rearrange``.
    """

    kind: str
    shape: Shape
    axes: tuple[int, ...] = ()
    split: Shape = ()

    def apply(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring an original tensor into the port's shape."""
        if self.kind == "first row":
            return tensor[:1]
        if self.kind == "repeated":
            return tensor.expand(self.shape)
        if self.kind == "permute":
            return tensor.permute(self.axes)
        if self.kind == "rearrange":
            return tensor.reshape(self.split).permute(self.axes).reshape(self.shape)
        if self.kind == "mask":
            mask = allowed(tensor)
            assert mask is not None
            return mask.expand(self.shape)
        if self.kind == "bias":
            return levelled(tensor).expand(self.shape)
        return tensor.reshape(self.shape)

    def view(self, ported: torch.Tensor) -> torch.Tensor:
        """The ported tensor in the form in which it is compared."""
        if self.kind == "bias":
            return levelled(ported)
        if self.kind != "mask":
            return ported
        mask = allowed(ported)
        return ported if mask is None else mask

    def feed(self, original: torch.Tensor, ported: torch.Tensor) -> torch.Tensor:
        """What takes the place of a ported tensor: new, in its shape, dtype and manner."""
        value = self.apply(original)
        if self.kind == "mask":
            return like(value, ported)
        if self.kind == "bias":
            return closed_like(value, ported)
        return value.to(ported).clone(memory_format=torch.contiguous_format)

    def __str__(self) -> str:
        """The layout in print; empty if nothing changes."""
        if self.kind == "same":
            return ""
        if self.kind in ("mask", "bias"):
            return f"by what the {self.kind} lets through"
        steps = {"permute": f"permute{self.axes}", "rearrange": f"reshape{self.split}, permute{self.axes}, "}
        to_shape = f"{'reshape' if self.kind == 'rearrange' else self.kind} to {self.shape}"
        return steps.get(self.kind, "") + ("" if self.kind == "permute" else to_shape)


Layouts = Mapping[tuple[Shape, Shape], Layout]
"""How tensors of one shape are laid out as such of another, as seen where the two sides are clearly equal."""


def find_layout(
    original: torch.Tensor, shape: Shape, ported: torch.Tensor | None = None, known: Layouts | None = None
) -> Layout | None:
    """The layout that brings ``original`` into ``shape``; None if there is none.

    Args:
        original: the original's tensor.
        shape: the port's shape.
        ported: the port's tensor, whose content decides where the shapes leave it open.
        known: layouts seen elsewhere, for tensors whose contents differ too much to tell.
    """
    own = tuple(original.shape)
    seen = (known or {}).get((own, shape))
    if seen is not None and seen.kind == "same":
        return seen
    by_shape = _by_shape(original, shape)
    if ported is None or original.numel() < 2 or (by_shape and by_shape.kind in ("first row", "repeated")):
        return by_shape
    sure = by_shape is not None and (by_shape.kind == "permute" or (by_shape.kind == "same" and not _turns(own)))
    if sure or (by_shape is not None and distance(by_shape.apply(original), ported) <= AGREES):
        return by_shape
    found = _by_content(original, shape, ported, seen)
    if found is None and seen is not None and by_shape is not None:
        off, usual = (distance(layout.apply(original), ported) for layout in (by_shape, seen))
        return by_shape if off < LIKELY * usual else seen
    return found or seen or by_shape


def _turns(shape: Shape) -> bool:
    """Whether two axes are of one length, so that they may be exchanged unseen."""
    lengths = [length for length in shape if length != 1]
    return len(set(lengths)) < len(lengths)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Relative L2 distance over a sample, at most 1; non-finite elements are left out."""
    step = max(1, one.numel() // SAMPLE)
    a, b = (tensor.reshape(-1)[::step].double() for tensor in (one, other))
    difference = torch.nan_to_num(a - b, posinf=0.0, neginf=0.0)
    scale = float(torch.nan_to_num(a, posinf=0.0, neginf=0.0).norm())
    found = float(difference.norm())
    return min(1.0, found / scale) if scale else float(found > 0)


def find_mask_layout(original: torch.Tensor, ported: torch.Tensor) -> Layout | None:
    """The layout of two attention masks, where the original's one fits the port's shape; None if either is none.

    A bias that also closes positions is compared with such a one, or with a mask.
    """
    if original.dim() > ported.dim():
        return None
    fits = all(a in (1, b) for a, b in zip(reversed(original.shape), reversed(ported.shape), strict=False))
    if not fits:
        return None
    if allowed(original) is not None and allowed(ported) is not None:
        return Layout("mask", tuple(ported.shape))
    biases = is_masked_bias(original) and is_masked_bias(ported) and not closes_alike(original, ported)
    return Layout("bias", tuple(ported.shape)) if biases else None


def _by_shape(original: torch.Tensor, shape: Shape) -> Layout | None:
    """The layout that the shapes alone decide."""
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


def _by_content(original: torch.Tensor, shape: Shape, ported: torch.Tensor, seen: Layout | None) -> Layout | None:
    """The layout under which the contents agree; if none do, the one that is clearly the best for unlike shapes."""
    own = tuple(original.shape)
    if original.dtype == torch.bool or math.prod(own) != math.prod(shape) or ported.dtype == torch.bool:
        return None
    tried = []
    for layout in arrangements(own, shape):
        tried.append((distance(layout.apply(original), ported), layout))
        if tried[-1][0] <= AGREES:
            return layout
    tried.sort(key=lambda pair: pair[0])
    if seen is not None or own == shape or not tried:
        return None
    clear = len(tried) == 1 or tried[0][0] < LIKELY * tried[1][0]
    return tried[0][1] if tried[0][0] <= LIKELY and clear else None


def arrangements(own: Shape, shape: Shape) -> list[Layout]:
    """Every way to split, permute and merge whole axes of ``own`` into ``shape``, the one with fewest axes first."""
    found: dict[Layout, int] = {}
    for factors in islice(_factors([n for n in own if n != 1], [n for n in shape if n != 1]), MOST):
        for layout in _orders(own, shape, factors):
            found.setdefault(layout, len(factors))
    return sorted(found, key=lambda layout: (found[layout], layout.axes))[:MOST]


Factor = tuple[int, int, int]
"""An axis of the original, an axis of the port, and the length of what the two share."""


def _factors(left: Sequence[int], right: Sequence[int], axis: int = 0) -> Iterator[tuple[Factor, ...]]:
    """The ways in which the axes of one side are made of those of the other."""
    if axis == len(right):
        if all(length == 1 for length in left):
            yield ()
        return
    for taken, rest in _made_of(right[axis], tuple(left), 0):
        for more in _factors(rest, right, axis + 1):
            yield (*((place, axis, length) for place, length in taken), *more)


def _made_of(length: int, left: Shape, start: int) -> Iterator[tuple[tuple[tuple[int, int], ...], Shape]]:
    """The ways to take a length from axes: as a whole each, or the whole length from one."""
    if length == 1:
        yield (), left
        return
    for place in range(start, len(left)):
        have = left[place]
        part = have if length % have == 0 else length if have % length == 0 else 1
        if part > 1:
            rest = (*left[:place], have // part, *left[place + 1 :])
            for taken, end in _made_of(length // part, rest, place + 1):
                yield ((place, part), *taken), end


def _orders(own: Shape, shape: Shape, factors: Sequence[Factor]) -> Iterator[Layout]:
    """The layouts with these factors, in every order within the axes that have several."""
    sides = []
    for side in (0, 1):
        groups = [[n for n, f in enumerate(factors) if f[side] == axis] for axis in range(len(factors))]
        sides.append([[n for group in order for n in group] for order in product(*map(permutations, groups))])
    for before, after in product(*sides):
        split = tuple(factors[n][2] for n in before)
        axes = tuple(before.index(n) for n in after)
        yield _named(own, shape, split, axes)


def _named(own: Shape, shape: Shape, split: Shape, axes: tuple[int, ...]) -> Layout:
    if axes == tuple(range(len(axes))):
        return Layout("same" if own == shape else "reshape", shape)
    if split == own and tuple(own[axis] for axis in axes) == shape:
        return Layout("permute", shape, axes)
    return Layout("rearrange", shape, axes, split)


def _reshapes(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether only leading axes are flattened or unflattened."""
    return bool(own) and bool(shape) and own[-1] == shape[-1] and math.prod(own) == math.prod(shape)
