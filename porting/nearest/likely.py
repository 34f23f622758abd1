"""How likely two models are of one kind, at a glance: by how many tensors of which kind their blocks have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from porting.nearest.cells import Cell, Held
from porting.nearest.parts import JOINED
from porting.nearest.roles import roles
from porting.weights.inference.words import words

NAMED = 0.3
"""How much the words of the names count beside the tensors."""


def likelihood(cells: Sequence[Cell], others: Sequence[Cell]) -> float:
    """0 to about 1: how much of each model's blocks has its like in the other."""
    return (_found(cells, others, timed=True) + _found(others, cells, timed=False)) / 2


def _found(cells: Sequence[Cell], others: Sequence[Cell], *, timed: bool) -> float:
    weights = [cell.total if timed else sum(not held.optional for held in cell.held) for cell in cells]
    best = (max((likeness(cell, other) for other in others), default=0.0) for cell in cells)
    return sum(weight * found for weight, found in zip(weights, best, strict=True)) / max(sum(weights), 1)


@lru_cache(maxsize=1 << 16)
def likeness(one: Cell, other: Cell) -> float:
    """0 to about 1: how alike two blocks are."""
    if bool(one.path) != bool(other.path):
        return 0.0
    kinds = _overlap(_kinds(one), _kinds(other), _kinds(one, needed=True), _kinds(other, needed=True))
    return kinds + NAMED * _overlap(_words(one), _words(other), _words(one), _words(other))


def _overlap(one: Counter[object], other: Counter[object], needed: Counter[object], others: Counter[object]) -> float:
    """The share of two that is in both; what is not needed counts only where it is."""
    common = one & other
    total = sum((counts | (common & every)).total() for counts, every in ((needed, one), (others, other)))
    return 2 * common.total() / max(total, 1)


@lru_cache(maxsize=1 << 14)
def _kinds(cell: Cell, *, needed: bool = False) -> Counter[object]:
    """Its tensors by role and number of dimensions, those of three and more with what no config sets.

    One that its name says to be several (q, k and v) counts as several.
    """
    found: Counter[object] = Counter()
    for held, role in zip(cell.held, roles(cell), strict=True):
        if not (needed and held.optional):
            found[role, len(held.dims), held.shape[2:]] += _parts(held)
    return found


def _parts(held: Held) -> int:
    said = set(words(held.name))
    return max((len(known) for known in JOINED if known <= said), default=1)


@lru_cache(maxsize=1 << 14)
def _words(cell: Cell) -> Counter[object]:
    """The words of its names, each once."""
    return Counter({word: 1 for held in cell.held for word in words(held.name)})
