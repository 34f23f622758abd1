"""The wrong tensor and the right one, sampled: what a family looks at before the whole is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from porting.comparison.masks import allowed
from porting.comparison.relations.model import Proposal, wide
from porting.comparison.relations.views import View, views

POINTS = 2048
LINES = 64
LINE_ELEMENTS = 1 << 19
LONGEST_AXIS = 1 << 16
EXPLAINED = 0.1
"""A relation leaves at most this part of the difference: less is no explanation, whatever the floor."""
BITS = 24
"""Of evidence without which nothing is said; four floats have more, of booleans there must be so many."""
MARGIN = 4
"""Equations beyond the unknowns without which nothing is said."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Sampled lines of both tensors along one axis.

    Attributes:
        wrong: (lines, length), float64.
        right: the same of the right tensor.
        counts: bool; what is valid.
        total: how many lines the tensor has.
        distinct: how many different ones were drawn.
    """

    wrong: torch.Tensor
    right: torch.Tensor
    counts: torch.Tensor
    total: int
    distinct: int


class Pair:
    """Both tensors, what counts in them, and how close is close enough.

    Attributes:
        wrong: on the cpu, in its own dtype.
        right: the same.
        known: the other tensors, by name.
        valid: bool, of the right one's shape; None if everything counts.
        floor: absolute difference that rounding explains.
        index: of the sampled points, one tensor for each axis of the right one.
        r: the right one there, in float64.
        w: the wrong one there; empty if the shapes differ.
        before: root mean square of their difference there.
    """

    def __init__(
        self,
        wrong: torch.Tensor,
        right: torch.Tensor,
        known: Mapping[str, torch.Tensor],
        valid: torch.Tensor | None,
        floor: float,
    ) -> None:
        self.wrong, self.right, self.known, self.valid, self.floor = wrong, right, known, valid, floor
        self.shape = tuple(right.shape)
        self.same_shape = tuple(wrong.shape) == self.shape
        self.index = self._points()
        self.r = self.sample(right)
        self.w = self.sample(wrong) if self.same_shape else self.r[:0]
        self.before = _rms(self.w - self.r) if self.same_shape else math.inf
        self.scale = float(self.r.abs().max()) if self.r.numel() else 0.0
        self._lines: dict[int, Lines] = {}
        self._views: list[View] | None = None

    @property
    def logical(self) -> bool:
        """Whether the right tensor is boolean."""
        return self.right.dtype == torch.bool

    @property
    def equations(self) -> int:
        """How many different pairs of values the sample holds."""
        if not self.same_shape:
            return int(torch.unique(self.r).numel())
        return len(torch.unique(torch.stack([self.w, self.r], 1), dim=0))

    def evidence(self, values: torch.Tensor) -> float:
        """How many bits it takes to write values of the right tensor down: few for booleans, many for floats."""
        bits = 20.0 if self.right.is_floating_point() else math.log2(max(1, torch.unique(self.r).numel()))
        return bits * values.numel()

    @property
    def axes(self) -> list[int]:
        """The axes along which something can be seen, last first."""
        return [a for a in reversed(range(len(self.shape))) if 2 <= self.shape[a] <= LONGEST_AXIS]

    @property
    def views(self) -> list[View]:
        """The known tensors in every form that fits the right one's shape."""
        if self._views is None:
            found = (view for name, tensor in self.known.items() for view in views(name, tensor, self.shape))
            self._views = [view for view in found if self._means_something(view)]
        return self._views

    @property
    def masks(self) -> list[View]:
        """The known tensors that are masks: of two values, or additive ones, in every form that fits."""
        masks = ((name, tensor) for name, tensor in self.known.items() if _is_mask(tensor))
        return [view for name, tensor in masks for view in views(name, tensor, self.shape)]

    def sample(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor that broadcasts to the shape, at the sampled points, in float64."""
        return wide(tensor.expand(self.shape)[self.index])

    def explains(self, values: torch.Tensor, slack: torch.Tensor | float = 1.0) -> bool:
        """Whether values at the sampled points are the right ones, down to rounding."""
        if values.shape != self.r.shape:
            return False
        error = (values - self.r).abs()
        return bool((error <= self.floor * slack).all()) and _rms(error / slack) <= EXPLAINED * self.before

    def lines(self, axis: int) -> Lines:
        """Sampled lines along an axis; both tensors must have the shape."""
        if axis not in self._lines:
            self._lines[axis] = self._draw_lines(axis)
        return self._lines[axis]

    def at_lines(self, tensor: torch.Tensor, axis: int) -> torch.Tensor:
        """Another tensor at the places of `lines`, in float64."""
        lines = wide(tensor.expand(self.shape).movedim(axis, -1)[self._line_index(axis)])
        return lines.reshape(-1, self.shape[axis])

    def residual(self, proposal: Proposal) -> float | None:
        """Relative L2 of the change on the whole tensor against the right one; None if it does not hold."""
        wrong, right = wide(self.wrong), wide(self.right)
        if proposal.change is None:
            return self._relative(wrong, right, None) if self.same_shape else math.inf
        value = proposal.change(wrong)
        if value.shape != right.shape:
            return None
        where = _both(self.valid, proposal.where)
        slack = 1.0 if proposal.slack is None else proposal.slack
        error = (value - right).abs() / slack
        close = error <= self.floor
        if not bool((close if where is None else close | ~where).all()):
            return None
        rms = _rms(error if where is None else error.masked_fill(~where, 0.0))
        return self._relative(value, right, where) if rms <= EXPLAINED * self.before else None

    def _relative(self, value: torch.Tensor, right: torch.Tensor, where: torch.Tensor | None) -> float:
        where = where if where is not None else self.valid
        counts = value.isfinite() & right.isfinite()
        left_out = ~counts if where is None else ~(counts & where)
        error, right = (value - right).masked_fill(left_out, 0.0), right.masked_fill(left_out, 0.0)
        size = float(right.norm())
        return float(error.norm()) / size if size else float(error.norm())

    def _means_something(self, view: View) -> bool:
        values = self.sample(view.tensor)
        return bool(values.isfinite().all()) and float(values.abs().max()) > self.floor

    def _points(self) -> tuple[torch.Tensor, ...]:
        total = math.prod(self.shape)
        flat = _draw(total, POINTS if self.valid is None else 4 * POINTS)
        index = torch.unravel_index(flat, self.shape)
        if self.valid is None:
            return index
        keep = self.valid[index]
        if int(keep.sum()) < min(POINTS // 8, total):
            places = self.valid.nonzero(as_tuple=True)
            chosen = _draw(len(places[0]), POINTS)
            return tuple(place[chosen] for place in places)
        return tuple(place[keep][:POINTS] for place in index)

    def _line_index(self, axis: int) -> tuple[torch.Tensor, ...]:
        others = self.shape[:axis] + self.shape[axis + 1 :]
        rows = max(8, min(LINES, LINE_ELEMENTS // self.shape[axis]))
        return torch.unravel_index(_draw(math.prod(others), rows), others) if others else ()

    def _draw_lines(self, axis: int) -> Lines:
        wrong, right = (self.at_lines(each, axis) for each in (self.wrong, self.right))
        counts = torch.ones_like(right, dtype=torch.bool)
        if self.valid is not None:
            counts = self.at_lines(self.valid, axis) > 0
        wrong, right = wrong.masked_fill(~counts, 0.0), right.masked_fill(~counts, 0.0)
        distinct = len(torch.unique(torch.cat([wrong, right], 1).float(), dim=0))
        return Lines(wrong, right, counts, math.prod(self.shape) // self.shape[axis], distinct)


def enough(values: torch.Tensor, counts: torch.Tensor) -> bool:
    """Whether most columns of (lines, length) hold several different values: evidence for a fit of each."""
    low = values.masked_fill(~counts, math.inf).amin(0)
    high = values.masked_fill(~counts, -math.inf).amax(0)
    several = (counts.sum(0) >= MARGIN) & (high > low)
    return bool(several.double().mean() > 0.5)


def each_axis(pair: Pair) -> Iterator[tuple[int, Lines]]:
    """The axes with their lines, where there are lines enough for one or two unknowns in each place."""
    for axis in pair.axes:
        lines = pair.lines(axis)
        if lines.distinct > MARGIN and (enough(lines.wrong, lines.counts) or enough(lines.right, lines.counts)):
            yield axis, lines


def _is_mask(tensor: torch.Tensor) -> bool:
    if tensor.dtype == torch.bool or allowed(tensor) is not None:
        return True
    return tensor.numel() > 1 and bool(((tensor == 0) | (tensor == 1)).all())


def _both(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
    return other if one is None else one if other is None else one & other


def _rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt()) if values.numel() else 0.0


def _draw(total: int, count: int) -> torch.Tensor:
    """All of ``range(total)``, or that many of it, always the same."""
    if total <= count:
        return torch.arange(total, device="cpu")
    generator = torch.Generator(device="cpu").manual_seed(total)
    return torch.randint(total, (count,), generator=generator, device="cpu").sort().values
