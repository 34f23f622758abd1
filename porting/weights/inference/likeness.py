"""How alike two tensors are by what is known without their values: names, numbers, order, shapes, neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from porting.weights.inference.names import agreement, agreements
from porting.weights.inference.neighbours import Neighbours, spread
from porting.weights.inference.units import Shape, Side, Unit
from porting.weights.inference.words import FILLERS, block, leaf, nearness, words

WORDS, NUMBERS, TURN, LEAF, SHAPE, APART, MODULE = 3.0, 2.0, 0.8, 1.5, 0.8, 1.5, 1.5
"""How much each kind of evidence counts."""
FILLED = 0.3
"""How much a word tells that stands everywhere."""

Beside = tuple[tuple[str, Shape], ...]


class Likeness:
    """Scores of pairs of units, with what the pairs of the last round say of their neighbours."""

    def __init__(self, sources: Side, targets: Side) -> None:
        """Begin without any pair."""
        self.sources, self.targets = sources, targets
        self._neighbours = Neighbours(sources, targets)
        self._kinds = lru_cache(maxsize=None)(self._kind_likeness)
        self._mute = lru_cache(maxsize=None)(self._says_nothing)

    def learn(self, pairs: Iterable[tuple[Unit, Unit]]) -> None:
        """Take pairs as known, in the place of those before."""
        self._neighbours = Neighbours(self.sources, self.targets, pairs)

    def table(self, sources: Sequence[Unit], targets: Sequence[Unit]) -> np.ndarray:
        """The score of every pair, (sources, targets): what they say themselves, their order, and their neighbours."""
        turns = [
            np.array([side.turn[unit.name] for unit in units], float).reshape(len(units), 2)
            for side, units in ((self.sources, sources), (self.targets, targets))
        ]
        (turn, of), (other_turn, other_of) = turns[0].T[:, :, None], turns[1].T[:, None, :]
        near = 1 - ((turn - other_turn) / np.maximum(of, other_of)) ** 2
        order = TURN * near * np.where(of == other_of, 1.0, 0.5)
        return np.asarray(self.static(sources, targets) + order + self._neighbours.table(sources, targets))

    def static(self, sources: Sequence[Unit], targets: Sequence[Unit]) -> np.ndarray:
        """What names, shapes and what else the modules hold say, without any order; (sources, targets)."""
        beside = (
            [self.sources.beside[one.name] for one in sources],
            [self.targets.beside[one.name] for one in targets],
        )
        shapes = spread([unit.shape for unit in sources], [unit.shape for unit in targets], _shapes)
        return np.asarray(self.named(sources, targets) + SHAPE * shapes + MODULE * spread(*beside, _unlike))

    def named(self, sources: Sequence[Unit], targets: Sequence[Unit]) -> np.ndarray:
        """What the names say of every pair, (sources, targets)."""
        kinds = ([self.sources.kinds[one.name] for one in sources], [self.targets.kinds[one.name] for one in targets])
        ranks = ([self.sources.ranks[one.name] for one in sources], [self.targets.ranks[one.name] for one in targets])
        return np.asarray(NUMBERS * agreements(*ranks) + spread(*kinds, self._kinds))

    def known(self, sources: Sequence[Unit], targets: Sequence[Unit]) -> np.ndarray:
        """What the names and the neighbours say of every pair, (sources, targets)."""
        return np.asarray(self.named(sources, targets) + self._neighbours.table(sources, targets))

    def naming(self, source: Unit, target: Unit) -> float:
        """What the names say of one pair."""
        numbers = agreement(self.sources.ranks[source.name], self.targets.ranks[target.name])
        return NUMBERS * numbers + self.wording(source, target)

    def wording(self, source: Unit, target: Unit) -> float:
        """What the words of the names say of one pair, without their numbers."""
        return self._kinds(self.sources.kinds[source.name], self.targets.kinds[target.name])

    def mute(self, unit: Unit, *, target: bool) -> bool:
        """Whether no word of a name is one of the other side's, so that it may be anything."""
        return self._mute((self.targets if target else self.sources).kinds[unit.name], target)

    def _says_nothing(self, kind: str, target: bool) -> bool:
        known = (self.sources if target else self.targets).rarity
        own = [word for word in words(kind) if word not in FILLERS]
        return not any(nearness(word, other) for word in own for other in known)

    def _kind_likeness(self, source: str, target: str) -> float:
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


def _shapes(source: Shape, target: Shape) -> float:
    if source == target:
        return 1.0
    one, other = ([size for size in shape if size != 1] for shape in (source, target))
    return 0.9 if one == other else 0.4


def _unlike(one: Beside, other: Beside) -> float:
    """-1 to 0, whether what else two modules hold has other dimensions."""
    held = dict(other)
    return -float(any(role in held and held[role] != key for role, key in one))
