"""How a whole checkpoint fits into an architecture: its blocks into blocks, and what stands outside of them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from porting.nearest.architectures import Architecture
from porting.nearest.cells import Cell, Held
from porting.nearest.fits import Binding, Fit
from porting.nearest.fitting import fit, fit_with
from porting.nearest.likely import likeness
from porting.nearest.naming import agreement
from porting.weights.inference.words import SYNONYMS, words

NUMBER = re.compile(r"(?<![^.])\d+(?=\.|$)")
KNOWN = frozenset(SYNONYMS) - {"vision"}
"""Words that say what a module is; a first part without any is a model's name."""
FIRST_SETTING = 2
"""From this number on, ``optional`` says with which other tensors one comes: those of the same setting."""
MOST_CELLS = 60
"""Blocks of either side that are tried, the largest ones."""
LIKE = 3.0
"""How many times as many tensors a block may have as one that it is held against."""
MOST_PAIRS = 5
"""Blocks of an architecture into which each of the checkpoint's is tried to fit, the likeliest ones."""
WORDS = 0.2
"""How much the names count beside the shapes."""


@dataclass(frozen=True)
class Way:
    """How blocks are compared.

    Attributes:
        fit: one with another.
        outside: what stands outside of blocks, where each of the blocks' sizes may be meant.
        likeness: at a glance, which are worth trying; higher is likelier.
        most: blocks of an architecture that are tried.
    """

    fit: Callable[[Cell, Cell], Fit]
    outside: Callable[[Cell, Cell, Sequence[Binding]], Fit]
    likeness: Callable[[Cell, Cell], float]
    most: int


STRUCTURE = Way(fit, fit_with, likeness, MOST_CELLS)
"""A size of the architecture may stand for any other."""


@dataclass(frozen=True)
class Match:
    """How a checkpoint fits into an architecture.

    Attributes:
        architecture: that is tried.
        pairs: blocks of both with how they fit.
        left: blocks of the checkpoint without a place.
        empty: blocks of the architecture that nothing fills.
    """

    architecture: Architecture
    pairs: tuple[tuple[Cell, Cell, Fit], ...]
    left: tuple[Cell, ...]
    empty: tuple[Cell, ...]

    @property
    def placed(self) -> int:
        """Tensors of the checkpoint with a place."""
        return sum(source.times * found.placed for source, _, found in self.pairs)

    @property
    def filled(self) -> int:
        """Kinds of tensors of the architecture that are filled: those of lists of blocks count once."""
        return len(self._filled)

    @property
    def kinds(self) -> int:
        """How many kinds it has, without optional ones that are not filled."""
        return self.filled + len({_kind(cell, held) for cell, held in self.missing})

    @property
    def missing(self) -> list[tuple[Cell, Held]]:
        """Tensors of the architecture that must be there, and nothing fills them or others of their kind."""
        empty = [
            *((cell, held) for _, cell, found in self.pairs for held in found.empty if _needed(held, found)),
            *((cell, held) for cell in self.empty for held in cell.held if not held.optional),
        ]
        return [(cell, held) for cell, held in empty if _kind(cell, held) not in self._filled]

    @cached_property
    def _filled(self) -> set[str]:
        return {
            _kind(target, held) for _, target, found in self.pairs for each in found.placings for held in each.targets
        }

    @property
    def names(self) -> float:
        """0 to 1: how much names agree."""
        found = [
            (source.times, agreement(_said(source, one), _said(target, other)))
            for source, target, each in self.pairs
            for placing in each.placings
            for one, other in zip(placing.sources, placing.targets, strict=False)
        ]
        total = sum(times for times, _ in found)
        return sum(times * score for times, score in found) / total if total else 0.0


def match(cells: Sequence[Cell], architecture: Architecture, way: Way = STRUCTURE) -> Match:
    """Fit the blocks of a checkpoint into those of an architecture, each into one, the best first.

    Args:
        cells: of the checkpoint.
        architecture: that is tried.
        way: whether sizes may stand for others.
    """
    fit = way.fit
    sources, targets = [c for c in cells if c.path], largest([c for c in architecture.cells if c.path], way.most)
    scored = sorted(
        (
            (_cell_score(source, target, way), -at, -other)
            for at, source in enumerate(sources)
            for other, target in _likeliest(source, targets, way)
        ),
        reverse=True,
    )
    pairs: list[tuple[Cell, Cell, Fit]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, less, lesser in scored:
        at, other = -less, -lesser
        if at not in taken[0] and other not in taken[1]:
            taken[0].add(at)
            taken[1].add(other)
            pairs.append((sources[at], targets[other], fit(sources[at], targets[other])))
    left = [source for at, source in enumerate(sources) if at not in taken[0]]
    pairs += [(source, *same) for source in left if (same := _same(source, pairs, way)) is not None]
    placed = {id(source) for source, _, _ in pairs}
    left = [source for source in left if id(source) not in placed]
    empty = [target for other, target in enumerate(targets) if other not in taken[1]]
    pairs += _outside(cells, architecture.cells, pairs, left, empty, way)
    return Match(architecture, tuple(pairs), tuple(left), tuple(empty))


def largest(cells: Sequence[Cell], most: int = MOST_CELLS) -> list[Cell]:
    """The blocks that are tried, in their order."""
    if len(cells) <= most:
        return list(cells)
    kept = set(heapq.nlargest(most, range(len(cells)), key=lambda at: (not cells[at].path, cells[at].total)))
    return [cell for at, cell in enumerate(cells) if at in kept]


def _outside(
    cells: Sequence[Cell],
    targets: Sequence[Cell],
    pairs: Sequence[tuple[Cell, Cell, Fit]],
    left: list[Cell],
    empty: list[Cell],
    way: Way,
) -> list[tuple[Cell, Cell, Fit]]:
    """How what stands outside of blocks fits; what has no counterpart goes to ``left`` or ``empty``."""
    source = next((cell for cell in cells if not cell.path), None)
    target = next((cell for cell in targets if not cell.path), None)
    if source and target:
        ordered = sorted(pairs, key=lambda pair: -pair[0].total)
        bindings: list[Binding] = [found.binding for _, _, found in ordered]
        return [(source, target, way.outside(source, target, bindings))]
    left += [source] if source else []
    empty += [target] if target else []
    return []


def _same(source: Cell, pairs: Sequence[tuple[Cell, Cell, Fit]], way: Way) -> tuple[Cell, Fit] | None:
    """The block that a further one is wholly, too."""
    for _, target, _ in pairs:
        found = way.fit(source, target)
        if not found.left and not any(not held.optional for held in found.empty):
            return target, found
    return None


def _likeliest(source: Cell, targets: Sequence[Cell], way: Way) -> list[tuple[int, Cell]]:
    """The blocks with their numbers into which one may fit."""
    sized = [
        (at, target) for at, target in enumerate(targets) if 1 / LIKE <= len(source.held) / len(target.held) <= LIKE
    ]
    return heapq.nlargest(MOST_PAIRS, sized, key=lambda pair: way.likeness(source, pair[1]))


def _cell_score(source: Cell, target: Cell, way: Way) -> float:
    share = way.fit(source, target).share
    return share * min(len(source.held), len(target.held)) + WORDS * agreement(source.path, target.path)


def _needed(held: Held, found: Fit) -> bool:
    """Whether a tensor must be there: it always is, or others are that go with it."""
    if held.optional < FIRST_SETTING:
        return not held.optional
    return any(each.optional == held.optional for placing in found.placings for each in placing.targets)


def _said(cell: Cell, held: Held) -> str:
    """A name without a first part that says nothing but whose model it is."""
    first, _, rest = (f"{cell.path}.{held.name}" if cell.path else held.name).partition(".")
    return rest if rest and not any(word in KNOWN for word in words(first)) else f"{first}.{rest}"


def _kind(cell: Cell, held: Held) -> str:
    """A tensor's name in whichever block of a list; what stands outside may be in a list of its own."""
    return f"{NUMBER.sub('*', cell.path)} {held.name}" if cell.path else NUMBER.sub("*", held.name)
