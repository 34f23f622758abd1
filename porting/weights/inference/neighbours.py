"""What known pairs say of others: what stands beside them goes together, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from porting.weights.inference.names import Texts, parents, parted
from porting.weights.inference.units import Side, Unit

Kind = TypeVar("Kind", bound=Hashable)
OWN, WIDE, TEMPLATE = 1.5, 0.75, 1.0
"""How much it counts that modules have other tensors in common, that layers have, that kinds of names are pairs."""


class Neighbours:
    """Shares of what modules, and kinds of names, have in common in the known pairs."""

    def __init__(self, sources: Side, targets: Side, pairs: Iterable[tuple[Unit, Unit]] = ()) -> None:
        """Count what lies together."""
        beside: Counter[tuple[str, str]] = Counter()
        kinds: Counter[tuple[Texts, Texts]] = Counter()
        for source, target in pairs:
            for one in parents(source.name):
                beside.update((one, other) for other in parents(target.name))
            kinds[parted(source.name)[0], parted(target.name)[0]] += 1
        sizes = [Counter(path for unit in side.units for path in parents(unit.name)) for side in (sources, targets)]
        counts = [Counter(parted(unit.name)[0] for unit in side.units) for side in (sources, targets)]
        self._beside = {(a, b): n / max(sizes[0][a], sizes[1][b]) for (a, b), n in beside.items()}
        self._kinds = {(a, b): n / max(counts[0][a], counts[1][b]) for (a, b), n in kinds.items()}

    def table(self, sources: Sequence[Unit], targets: Sequence[Unit]) -> np.ndarray:
        """What they say of every pair, (sources, targets)."""
        above = [_above(side) for side in (sources, targets)]
        shares = self._shares(above[0][0], above[1][0])
        (_, left), (_, right) = above
        own = shares[left[:, 0]][:, right[:, 0]]
        wide = np.zeros(own.shape)
        for one in left.T[1:]:
            for other in right.T[1:]:
                np.maximum(wide, shares[one][:, other], out=wide)
        role = spread(
            [parted(unit.name)[0] for unit in sources],
            [parted(unit.name)[0] for unit in targets],
            lambda a, b: self._kinds.get((a, b), 0.0),
        )
        return np.asarray(OWN * own + WIDE * wide + TEMPLATE * role)

    def _shares(self, left: Mapping[str, int], right: Mapping[str, int]) -> np.ndarray:
        """The shares of all paths, with a row and a column of nothing last."""
        shares = np.zeros((len(left) + 1, len(right) + 1))
        for (one, other), share in self._beside.items():
            if one in left and other in right:
                shares[left[one], right[other]] = share
        return shares


def _above(units: Sequence[Unit]) -> tuple[Mapping[str, int], np.ndarray]:
    """The paths above units with their numbers, and for each unit those above it, its module's first; -1 for none."""
    number: dict[str, int] = {}
    rows = [[number.setdefault(path, len(number)) for path in parents(unit.name)] for unit in units]
    depth = max([1, *map(len, rows)])
    return number, np.array([[*row, *[-1] * (depth - len(row))] for row in rows])


def spread(ones: Sequence[Kind], others: Sequence[Kind], value: Callable[[Kind, Kind], float]) -> np.ndarray:
    """The value of every pair, (ones, others), computed once for equal ones."""
    left, right = ({each: at for at, each in enumerate(dict.fromkeys(side))} for side in (ones, others))
    table = np.array([[value(one, other) for other in right] for one in left]).reshape(len(left), len(right))
    found = table[np.array([left[one] for one in ones], int)][:, np.array([right[other] for other in others], int)]
    return np.asarray(found)
