"""How alike two tensors are by what is known without their values: names, numbers, order, shapes, neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from porting.weights.inference.names import Texts, agreement, parents, parted
from porting.weights.inference.units import Side, Unit
from porting.weights.inference.words import FILLERS, block, leaf, nearness, words

WORDS, NUMBERS, TURN, LEAF, SHAPE = 3.0, 2.0, 0.8, 1.5, 0.8
OWN, WIDE, TEMPLATE, APART, MODULE = 1.5, 0.75, 1.0, 1.5, 1.5
"""How much each kind of evidence counts."""
FILLED = 0.3
"""How much a word tells that stands everywhere."""


class Likeness:
    """Scores of pairs of units, with what the pairs of the last round say of their neighbours."""

    def __init__(self, sources: Side, targets: Side) -> None:
        """Begin without any pair."""
        self.sources, self.targets = sources, targets
        self._beside: dict[tuple[str, str], float] = {}
        self._templates: dict[tuple[Texts, Texts], float] = {}
        self._names = lru_cache(maxsize=None)(self._name_likeness)

    def learn(self, pairs: Iterable[tuple[Unit, Unit]]) -> None:
        """Take pairs as known: what stands beside them goes together, too."""
        pairs = list(pairs)
        beside: Counter[tuple[str, str]] = Counter()
        templates: Counter[tuple[Texts, Texts]] = Counter()
        for source, target in pairs:
            for one in parents(source.name):
                beside.update((one, other) for other in parents(target.name))
            templates[parted(source.name)[0], parted(target.name)[0]] += 1
        sizes = [_holding(side) for side in (self.sources, self.targets)]
        self._beside = {(a, b): n / max(sizes[0][a], sizes[1][b]) for (a, b), n in beside.items()}
        counts = [Counter(parted(unit.name)[0] for unit in side.units) for side in (self.sources, self.targets)]
        self._templates = {(a, b): n / max(counts[0][a], counts[1][b]) for (a, b), n in templates.items()}

    def table(self, sources: Sequence[Unit], targets: Sequence[Unit]) -> np.ndarray:
        """The score of every pair, (sources, targets)."""
        return np.array([[self.score(one, other) for other in targets] for one in sources])

    def score(self, source: Unit, target: Unit) -> float:
        """One score: what the tensors themselves say, and what their neighbours do."""
        return self.plain(source, target) + self.neighbours(source, target)

    def plain(self, source: Unit, target: Unit) -> float:
        """What the two tensors say by themselves."""
        (turn, of), (other_turn, other_of) = self.sources.turn[source.name], self.targets.turn[target.name]
        found = self.static(source, target)
        found += TURN * (1 - ((turn - other_turn) / max(of, other_of)) ** 2) * (1.0 if of == other_of else 0.5)
        return found

    def static(self, source: Unit, target: Unit) -> float:
        """What names, shapes and what else the modules hold say, without any order."""
        shapes = SHAPE * _shapes(source, target) + MODULE * self.modules(source, target)
        return self.naming(source, target) + shapes

    def mute(self, unit: Unit, *, target: bool) -> bool:
        """Whether no word of a name is one of the other side's, so that it may be anything."""
        known = (self.sources if target else self.targets).rarity
        own = [word for word in words(unit.name) if word not in FILLERS]
        return not any(nearness(word, other) for word in own for other in known)

    def modules(self, source: Unit, target: Unit) -> float:
        """-1 to 0, whether what else their modules hold has other dimensions."""
        one, other = self.sources.beside[source.name], self.targets.beside[target.name]
        common = set(one) & set(other)
        return -float(any(one[role] != other[role] for role in common)) if common else 0.0

    def naming(self, source: Unit, target: Unit) -> float:
        """What the names say."""
        numbers = agreement(self.sources.ranks[source.name], self.targets.ranks[target.name])
        return NUMBERS * numbers + self.wording(source.name, target.name)

    def wording(self, source: str, target: str) -> float:
        """What the words of the names say, without their numbers."""
        spoken = self.sources.spoken[source], self.targets.spoken[target]
        return self._names(parted(spoken[0])[0], parted(spoken[1])[0])

    def _name_likeness(self, one: tuple[str, ...], other: tuple[str, ...]) -> float:
        source, target = "0".join(one), "0".join(other)
        apart = block(source) and block(target) and block(source) != block(target)
        return WORDS * self._words(source, target) + LEAF * _leaves(source, target) - APART * bool(apart)

    def _words(self, source: str, target: str) -> float:
        one, other = words(source), words(target)
        left, right = self._weights(one, self.sources), self._weights(other, self.targets)
        total = sum(left) + sum(right)
        if not total:
            return 0.0
        found = _covered(one, left, other) + _covered(other, right, one)
        return found / total

    def _weights(self, found: Sequence[str], side: Side) -> list[float]:
        """The nearer to the end, the more a word tells."""
        count = len(found)
        return [
            side.rarity.get(word, 1.0) * (FILLED if word in FILLERS else 1.0) * (0.5 + 0.5 * (at + 1) / count)
            for at, word in enumerate(found)
        ]

    def neighbours(self, source: Unit, target: Unit) -> float:
        """What pairs beside them say: tensors of the same module, of the same layer, of the same names."""
        above, other_above = parents(source.name), parents(target.name)
        own = self._beside.get((above[0], other_above[0]), 0.0) if above and other_above else 0.0
        wide = [self._beside.get((a, b), 0.0) for a in above[1:] for b in other_above[1:]]
        role = self._templates.get((parted(source.name)[0], parted(target.name)[0]), 0.0)
        return OWN * own + WIDE * max(wide, default=0.0) + TEMPLATE * role


def _holding(side: Side) -> Counter[str]:
    return Counter(path for unit in side.units for path in parents(unit.name))


def _covered(words_: Sequence[str], weights: Sequence[float], others: Sequence[str]) -> float:
    return sum(
        weight * max((nearness(word, other) for other in others), default=0.0)
        for word, weight in zip(words_, weights, strict=True)
    )


def _leaves(source: str, target: str) -> float:
    one, other = leaf(source), leaf(target)
    if one == other:
        return 1.0
    return 0.6 if {one, other} <= {"", "weight"} else 0.0


def _shapes(source: Unit, target: Unit) -> float:
    if source.shape == target.shape:
        return 1.0
    return 0.9 if source.dims == target.dims else 0.4
