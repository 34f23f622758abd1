"""What a module at fault should have returned, and whether a computed tensor is the original's or the port's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

import torch

from porting.comparison import compare_tensors
from porting.diagnosis.cause import Case
from porting.diagnosis.scene import Gap, Moment
from porting.tolerance import Tolerance

MOST_AXES = 5
"""Tensors of more dimensions are not looked at in other orders of their axes."""
LEAST_FACTOR = 0.5
"""Under a smaller factor the rounding of a product hides too much of what was multiplied."""


@dataclass(frozen=True, slots=True)
class Result:
    """A tensor that the culprit returned, beside what it should have been.

    Attributes:
        moment: the call that returned it.
        leaf: its name in what was returned.
        gap: wrong and right in the form in which the culprit returns them.
    """

    moment: Moment
    leaf: str
    gap: Gap

    @property
    def source(self) -> torch.Tensor | None:
        """The only floating tensor among the arguments, None if there are several or none."""
        found = [tensor for tensor in self.moment.received().values() if tensor.is_floating_point()]
        return found[0] if len(found) == 1 else None


def results(case: Case) -> list[Result]:
    """What the culprit returned and what it should have, as each gap shows it.

    A module without a counterpart shows its fault only where its result arrives: at the next module, as it is or with
    other axes; else perhaps as one summand or one factor of what arrives, whose other part is taken to be right.
    """
    return [found for gap in case.gaps for found in _results(case, gap)]


def explains(gap: Gap, candidate: torch.Tensor) -> bool:
    """Whether a tensor is the original's, up to rounding."""
    return _same(gap, gap.right, candidate)


def reproduces(gap: Gap, candidate: torch.Tensor) -> bool:
    """Whether a tensor is what the port computed, up to rounding."""
    return _same(gap, gap.wrong, candidate)


def _same(gap: Gap, reference: torch.Tensor, candidate: torch.Tensor) -> bool:
    if candidate.shape != reference.shape or not bool(torch.isfinite(candidate).all()):
        return False
    return not gap.floor.exceeded_by(compare_tensors(reference, candidate, Tolerance(), gap.valid))


def _results(case: Case, gap: Gap) -> Iterator[Result]:
    for moment in case.moments:
        if moment.key[0] != gap.place[0][0]:
            continue
        if gap.where == "output" and moment.key == gap.place[0]:
            yield Result(moment, gap.leaf, gap)
            return
        for leaf, made in moment.made().items():
            seen = next(_as_returned(gap, made), None)
            if seen is not None:
                yield Result(moment, leaf, seen)
                return
    for moment in case.moments:
        if moment.key[0] == gap.place[0][0] and gap.path != case.path:
            for leaf, made in moment.made().items():
                if made.shape == gap.wrong.shape and made.is_floating_point():
                    yield Result(moment, leaf, _as_summand(gap, made))
                    yield Result(moment, leaf, _as_factor(gap, made))


def _as_summand(gap: Gap, made: torch.Tensor) -> Gap:
    """What a tensor should have been if another one was added to it before the gap."""
    return replace(gap, wrong=made, right=made + (gap.right - gap.wrong))


def _as_factor(gap: Gap, made: torch.Tensor) -> Gap:
    """What a tensor should have been if it was multiplied with another one before the gap; where that can be told."""
    factor = torch.where(made == 0, 0.0, gap.wrong / made)
    told = torch.isfinite(factor) & (factor.abs() > LEAST_FACTOR)
    right = torch.where(told, gap.right / torch.where(told, factor, 1.0), made)
    return replace(gap, wrong=made, right=right, valid=told if gap.valid is None else told & gap.valid)


def _as_returned(gap: Gap, made: torch.Tensor) -> Iterator[Gap]:
    """The gap in the form of a tensor of which it is a view."""
    if made.numel() != gap.wrong.numel() or made.dtype != gap.wrong.dtype:
        return
    if torch.equal(made.reshape(gap.wrong.shape), gap.wrong):
        yield _changed(gap, lambda tensor: tensor.reshape(made.shape))
    elif sorted(made.shape) == sorted(gap.wrong.shape) and made.dim() <= MOST_AXES:
        for axes in permutations(range(made.dim())):
            turned = gap.wrong.permute(axes)
            if turned.shape == made.shape and torch.equal(turned, made):
                yield _changed(gap, partial(torch.permute, dims=axes))


def _changed(gap: Gap, view: Callable[[torch.Tensor], torch.Tensor]) -> Gap:
    return replace(
        gap, wrong=view(gap.wrong), right=view(gap.right), valid=None if gap.valid is None else view(gap.valid)
    )
