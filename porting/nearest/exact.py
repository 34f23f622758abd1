"""Whether a checkpoint is a model that is built: every tensor of its own size, as often as it is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from porting.nearest.architectures import Architecture
from porting.nearest.cells import Cell, Held, Shape, cells_of
from porting.nearest.fitting import fit_exactly
from porting.nearest.matching import Match, Way, match

ALIKE = 0.5
"""Share of two blocks that must be the same for one to be in the other's place."""
MOST_CELLS = 200
"""Blocks of a model that is built, each of its own sizes."""


@dataclass(frozen=True)
class Built:
    """A model of certain settings, by what it holds.

    Attributes:
        class_name: of the model.
        shapes: of its tensors by name, each once.
        tied: of the further names of some.
    """

    class_name: str
    shapes: Mapping[str, Shape]
    tied: Mapping[str, Shape]

    @cached_property
    def architecture(self) -> Architecture:
        """Its blocks, as those of an architecture; further names of tied tensors need not be filled."""
        cells = cells_of({**self.shapes, **self.tied}, dict.fromkeys(self.tied, 1))
        return Architecture("", self.class_name, cells, {})

    @cached_property
    def untied(self) -> Architecture:
        """The same with each tensor under one name alone."""
        return Architecture("", self.class_name, cells_of(self.shapes), {})


@dataclass(frozen=True)
class Difference:
    """What a checkpoint and a model do not have in common.

    Attributes:
        left: how many tensors of the checkpoint have no place.
        empty: how many of the model's nothing fills, without further names of tied ones.
        of_left: which these are, one for all repetitions of a block.
        of_empty: the same.
        apart: 0 to 1: the share of the sizes of both that are not among those of the other.
    """

    left: int
    empty: int
    of_left: tuple[tuple[Cell, Held], ...]
    of_empty: tuple[tuple[Cell, Held], ...]
    apart: float

    @property
    def wrong(self) -> float:
        """How much is not the same; 0 where everything is. What is apart counts for less than a tensor."""
        return self.left + self.empty + self.apart


def difference(cells: Sequence[Cell], built: Built) -> Difference:
    """Compare all blocks of a checkpoint with those of a model; it may have tied tensors once, or under each name."""
    found = _difference(cells, built.architecture)
    return min(found, _difference(cells, built.untied), key=_wrong) if found.wrong and built.tied else found


def _wrong(one: Difference) -> float:
    return one.wrong


def _difference(cells: Sequence[Cell], architecture: Architecture) -> Difference:
    found = _with_odd_ones(_with_untried(match(cells, architecture, EXACTLY)))
    left, empty = list(_left(found)), list(_empty(found))
    counts = sum(cell.times * cell.more for cell in (*cells, *architecture.cells))
    return Difference(
        sum(number for _, _, number in left) + counts,
        sum(number for _, _, number in empty),
        tuple((cell, held) for cell, held, _ in left),
        tuple((cell, held) for cell, held, _ in empty),
        _apart(left, empty),
    )


def _with_untried(found: Match) -> Match:
    """The same with the blocks of a model that were too many to be tried among those that nothing fills."""
    tried = {*(target for _, target, _ in found.pairs), *found.empty}
    return replace(found, empty=(*found.empty, *(cell for cell in found.architecture.cells if cell not in tried)))


def _with_odd_ones(found: Match) -> Match:
    """The same with blocks that are other than their likes in the place that is free among those."""
    free = _free(found)
    pairs, left = list(found.pairs), []
    for cell in found.left:
        targets = [target for target, times in free.items() if cell.path and times >= cell.times]
        best = max(targets, key=lambda target: fit_exactly(cell, target).share, default=None)
        if best is None or fit_exactly(cell, best).share < ALIKE:
            left.append(cell)
        else:
            free[best] -= cell.times
            pairs.append((cell, best, fit_exactly(cell, best)))
    return replace(found, pairs=tuple(pairs), left=tuple(left))


def _free(found: Match) -> dict[Cell, int]:
    """How many of each block of the model are not there; less than 0 where there are too many."""
    free = {target: target.times for _, target, _ in found.pairs}
    for source, target, _ in found.pairs:
        free[target] -= source.times
    return free


Counted = tuple[Cell, Held, int]


def _left(found: Match) -> Iterator[Counted]:
    for cell in found.left:
        yield from ((cell, held, cell.times) for held in cell.held)
    free = _free(found)
    for source, target, fit in found.pairs:
        spare = min(max(-free[target], 0), source.times)
        free[target] += spare
        yield from ((source, held, source.times) for held in fit.left)
        yield from ((source, held, spare) for each in fit.placings for held in each.sources if spare)


def _empty(found: Match) -> Iterator[Counted]:
    for cell in found.empty:
        yield from ((cell, held, cell.times) for held in cell.held if not held.optional)
    for source, target, fit in found.pairs:
        yield from ((target, held, source.times) for held in fit.empty if not held.optional)
    for target, times in _free(found).items():
        yield from ((target, held, times) for held in target.held if times > 0 and not held.optional)


def _apart(left: Sequence[Counted], empty: Sequence[Counted]) -> float:
    ones, others = (
        Counter(size for _, held, number in side for size in held.dims for _ in range(min(number, 4)))
        for side in (left, empty)
    )
    common = (ones & others).total()
    return 1 - 2 * common / max(ones.total() + others.total(), 1) if ones or others else 0.0


@lru_cache(maxsize=1 << 16)
def _alike(one: Cell, other: Cell) -> float:
    """How many tensors of the same sizes two blocks have."""
    return float((_sizes(one) & _sizes(other)).total())


@lru_cache(maxsize=1 << 14)
def _sizes(cell: Cell) -> Counter[Shape]:
    return Counter(tuple(sorted(held.dims)) for held in cell.held)


EXACTLY = Way(fit_exactly, lambda source, target, _: fit_exactly(source, target), _alike, MOST_CELLS)
"""Every size stands for itself."""
