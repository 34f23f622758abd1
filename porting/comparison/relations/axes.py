"""Axes exchanged, and heads merged or split without the transposition that belongs to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

import torch

from porting.comparison.relations.model import Change, Proposal, wide
from porting.comparison.relations.pair import Pair

COARSE = 64
MOST_AXES = 5
FEWEST = 16


@dataclass(frozen=True, slots=True)
class Regrouping:
    """The wrong data read as ``shape``, its axes put in the order ``axes``, and read in the right shape again."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    kind: str
    text: str
    cost: float

    def view(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor with its axes in the new order, not yet in the right shape."""
        return tensor.reshape(self.shape).permute(self.axes)


def propose(pair: Pair) -> Iterator[Proposal]:
    """Everything that two exchanged axes explain."""
    wrong, count = pair.wrong, math.prod(pair.shape)
    if wrong.numel() != count or count < FEWEST or wrong.dim() > MOST_AXES or _few(pair.r):
        return
    flat = _ravel(pair.index, pair.shape)
    seen: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    for candidate in _candidates(tuple(wrong.shape), pair.shape):
        if (candidate.shape, candidate.axes) in seen or not _holds(pair, candidate, flat):
            continue
        seen.add((candidate.shape, candidate.axes))
        yield Proposal(
            kind=candidate.kind,
            text=candidate.text,
            parameters={"shape": candidate.shape, "axes": candidate.axes},
            change=_change(candidate, pair.shape),
            cost=candidate.cost,
        )


def _candidates(wrong: tuple[int, ...], right: tuple[int, ...]) -> Iterator[Regrouping]:
    if wrong != right:
        yield from _orders(wrong, right)
    for one, other in combinations(range(len(wrong)), 2):
        axes = list(range(len(wrong)))
        axes[one], axes[other] = other, one
        turned = tuple(wrong[axis] for axis in axes)
        text = f"axes {one} and {other} exchanged"
        if turned != right:
            text = f"axes {one} and {other} not exchanged before the data was reshaped"
        yield Regrouping(wrong, tuple(axes), "axes exchanged", text, 0.4 if turned == right else 0.5)
    for one in range(len(wrong) - 1):
        yield from _read_otherwise(wrong, one)
        yield from _heads(wrong, one)


def _orders(wrong: tuple[int, ...], right: tuple[int, ...]) -> Iterator[Regrouping]:
    """All orders of the axes that give the right shape; the data as it is, reshaped."""
    yield Regrouping(wrong, tuple(range(len(wrong))), "axes exchanged", "in another shape, the data is the same", 0.1)
    for axes in permutations(range(len(wrong))):
        if tuple(wrong[axis] for axis in axes) == right:
            yield Regrouping(wrong, axes, "axes exchanged", f"axes in another order, permute{axes} is right", 0.3)


def _read_otherwise(shape: tuple[int, ...], one: int) -> Iterator[Regrouping]:
    """Two axes that were read the other way round: reshaped, where they should be transposed."""
    a, b = shape[one : one + 2]
    read = (*shape[:one], b, a, *shape[one + 2 :])
    axes = tuple(range(len(shape)))
    turned = (*axes[:one], one + 1, one, *axes[one + 2 :])
    yield Regrouping(read, turned, "axes exchanged", f"axes {one} and {one + 1} reshaped, and not transposed", 0.5)


def _heads(shape: tuple[int, ...], one: int) -> Iterator[Regrouping]:
    """The second of two axes is made of heads, which were not transposed with the first one, or were."""
    a, b = shape[one : one + 2]
    rest, behind = shape[:one], shape[one + 2 :]
    front, last = tuple(range(one)), tuple(range(one + 3, len(shape) + 1))
    for heads in (d for d in range(2, b) if b % d == 0):
        size = b // heads
        merged = f"heads merged without being transposed back (as {heads} heads of {size})"
        yield Regrouping(
            (*rest, heads, a, size, *behind), (*front, one + 1, one, one + 2, *last), "heads regrouped", merged, 0.7
        )
        split = f"heads transposed that should only be merged ({heads} heads of {size})"
        yield Regrouping(
            (*rest, a, heads, size, *behind), (*front, one + 1, one, one + 2, *last), "heads regrouped", split, 0.8
        )


def _holds(pair: Pair, candidate: Regrouping, flat: torch.Tensor) -> bool:
    turned = candidate.view(pair.wrong)
    some = wide(turned[torch.unravel_index(flat[:COARSE], turned.shape)])
    if bool(((some - pair.r[:COARSE]).abs() > pair.floor).any()):
        return False
    return pair.explains(wide(turned[torch.unravel_index(flat, turned.shape)]))


def _few(values: torch.Tensor) -> bool:
    return int(torch.unique(values).numel()) < 2


def _ravel(index: tuple[torch.Tensor, ...], shape: tuple[int, ...]) -> torch.Tensor:
    flat = torch.zeros_like(index[0])
    for place, length in zip(index, shape, strict=True):
        flat = flat * length + place
    return flat


def _change(candidate: Regrouping, shape: tuple[int, ...]) -> Change:
    return lambda wrong: candidate.view(wrong).reshape(shape)
