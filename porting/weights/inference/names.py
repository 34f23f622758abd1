"""The numbers in names: of which layer, of which expert, counted from the first that there is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np

NUMBER = re.compile(r"\d+")
AHEAD = 0.6
"""How much it counts that ranks agree from the first on, against that they do somewhere."""
MOST_NUMBERS, DEEPEST = 12, 40
"""Numbers and levels of a name; one with more is no module's path, and is not taken apart."""
LONGEST = 8
"""Digits of a number; longer ones are text."""

Texts = tuple[str, ...]
Numbers = tuple[int, ...]


@lru_cache(maxsize=1 << 17)
def parted(name: str) -> tuple[Texts, Numbers]:
    """The texts around the numbers of a name, and the numbers: one text more than numbers."""
    texts, numbers, end = [], [], 0
    for found in NUMBER.finditer(name):
        if len(found[0]) <= LONGEST and str(int(found[0])) == found[0]:
            texts.append(name[end : found.start()])
            numbers.append(int(found[0]))
            end = found.end()
    if len(numbers) > MOST_NUMBERS:
        return (name,), ()
    return (*texts, name[end:]), tuple(numbers)


def ranks(names: Iterable[str]) -> Mapping[str, Numbers]:
    """The numbers of each name as their ranks among those at the same place; without those that never vary.

    ``layer1`` of ``layer1`` to ``layer4`` is 0, so is ``stages.0``; ``mlp.0`` and ``mlp.2`` are 0 and 1.
    """
    return {name: tuple(rank for rank, _ in found) for name, found in _ranked(names).items()}


def lengths(names: Iterable[str]) -> Mapping[str, Numbers]:
    """How many numbers there are at each place of `ranks`."""
    return {name: tuple(length for _, length in found) for name, found in _ranked(names).items()}


def _ranked(names: Iterable[str]) -> Mapping[str, list[tuple[int, int]]]:
    """The ranks of a name's numbers, and of how many."""
    seen: dict[Texts, set[int]] = defaultdict(set)
    names = list(names)
    for name in names:
        texts, numbers = parted(name)
        for at, number in enumerate(numbers):
            seen[texts[: at + 1]].add(number)
    order = {texts: {number: rank for rank, number in enumerate(sorted(found))} for texts, found in seen.items()}
    found = {}
    for name in names:
        texts, numbers = parted(name)
        places = [(order[texts[: at + 1]], number) for at, number in enumerate(numbers)]
        found[name] = [(known[number], len(known)) for known, number in places if len(known) > 1]
    return found


@lru_cache(maxsize=1 << 16)
def agreement(one: Numbers, other: Numbers) -> float:
    """`agreements` of two rows."""
    return float(agreements([one], [other])[0, 0])


def agreements(ones: Sequence[Numbers], others: Sequence[Numbers]) -> np.ndarray:
    """0 to 1, how much rows of ranks agree: the longest common part in order, the outermost counting most."""
    left, right = _padded(ones, -1), _padded(others, -2)
    lengths, other_lengths = (np.array([len(each) for each in side]) for side in (ones, others))
    total = lengths[:, None] + other_lengths[None, :]
    ahead = _ahead(left, right)
    found = 2 * (AHEAD * ahead + (1 - AHEAD) * _common(left, right)) / np.maximum(total, 1)
    scores = np.where(ahead > 0, 0.5 + 0.5 * found, 0.3 * found)
    lonely = (lengths[:, None] == 0) | (other_lengths[None, :] == 0)
    return np.asarray(np.where(total == 0, 1.0, np.where(lonely, 0.5, scores)))


def _padded(rows: Sequence[Numbers], filler: int) -> np.ndarray:
    width = max((len(row) for row in rows), default=0)
    return np.array([[*row, *[filler] * (width - len(row))] for row in rows]).reshape(len(rows), width)


def _ahead(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How many numbers agree from the first on."""
    count, running = np.zeros((len(left), len(right))), np.ones((len(left), len(right)), bool)
    for at in range(min(left.shape[1], right.shape[1])):
        running &= left[:, None, at] == right[None, :, at]
        count += running
    return count


def _common(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The length of the longest common part in order."""
    best = [np.zeros((len(left), len(right))) for _ in range(right.shape[1] + 1)]
    for number in left.T:
        row = [best[0]]
        for at, its in enumerate(right.T):
            same = number[:, None] == its[None, :]
            row.append(np.where(same, best[at] + 1, np.maximum(best[at + 1], row[at])))
        best = row
    return best[-1]


@lru_cache(maxsize=1 << 17)
def parents(name: str) -> tuple[str, ...]:
    """The paths above a tensor, its module's first, the model's own not among them."""
    pieces = name.split(".", DEEPEST)[:-1]
    if len(pieces) == DEEPEST:
        return ()
    return tuple(".".join(pieces[:length]) for length in range(len(pieces), 0, -1))
