"""The numbers in names: of which layer, of which expert, counted from the first that there is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

NUMBER = re.compile(r"\d+")
AHEAD = 0.6
"""How much it counts that ranks agree from the first on, against that they do somewhere."""
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
    return (*texts, name[end:]), tuple(numbers)


def ranks(names: Iterable[str]) -> Mapping[str, Numbers]:
    """The numbers of each name as their ranks among those at the same place; without those that never vary.

    ``layer1`` of ``layer1`` to ``layer4`` is 0, so is ``stages.0``; ``mlp.0`` and ``mlp.2`` are 0 and 1.
    """
    seen: dict[Texts, set[int]] = defaultdict(set)
    names = list(names)
    for name in names:
        texts, numbers = parted(name)
        for at, number in enumerate(numbers):
            seen[texts[: at + 1]].add(number)
    order = {texts: {number: rank for rank, number in enumerate(sorted(found))} for texts, found in seen.items()}
    return {name: _ranks(name, order) for name in names}


def _ranks(name: str, order: Mapping[Texts, Mapping[int, int]]) -> Numbers:
    texts, numbers = parted(name)
    places = [(order[texts[: at + 1]], number) for at, number in enumerate(numbers)]
    return tuple(known[number] for known, number in places if len(known) > 1)


@lru_cache(maxsize=1 << 18)
def agreement(one: Numbers, other: Numbers) -> float:
    """0 to 1, how much two rows of ranks agree: the longest common part in order, the outermost counting most."""
    if not one and not other:
        return 1.0
    if not one or not other:
        return 0.5
    ahead = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    found = 2 * (AHEAD * ahead + (1 - AHEAD) * _common(one, other)) / (len(one) + len(other))
    return 0.5 + 0.5 * found if ahead else 0.3 * found


def _common(one: Numbers, other: Numbers) -> int:
    best = [0] * (len(other) + 1)
    for number in one:
        row = [0]
        for at, its in enumerate(other):
            row.append(best[at] + 1 if number == its else max(best[at + 1], row[at]))
        best = row
    return best[-1]


def parents(name: str) -> list[str]:
    """The paths above a tensor, its module's first, the model's own not among them."""
    pieces = name.split(".")[:-1]
    return [".".join(pieces[:length]) for length in range(len(pieces), 0, -1)]
