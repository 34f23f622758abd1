"""Weights against order: which pairs that hold the same weights are modules that were loaded with another's.

Weights decide which module is which, also where the port calls or registers its modules in another order. But weights
loaded into each other's place must not exchange the modules themselves. They are told apart by what runs through:
modules in one role are given the same values, and a pair that crosses the order of another one inside a module that
works shows that the order is of no matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from porting.alignment.scoring import Evidence

Pair = tuple[int, int]


def misplaced(evidence: Evidence, pairs: dict[int, int]) -> set[Pair]:
    """The pairs of which the weights are found in the wrong place."""
    found = [pair for pair in pairs.items() if evidence.weights[pair] and not evidence.roots[pair]]
    return {pair for pair in found if _rivalled(evidence, pairs, pair)} | _crossed(evidence, pairs, found)


def _rivalled(evidence: Evidence, pairs: dict[int, int], pair: Pair) -> bool:
    """Whether a module of the same make is given what the other of the pair is given, and has no such partner."""
    row, column = pair
    if evidence.inputs[pair] or evidence.outputs[pair]:
        return False
    left, right = evidence.original.held_shapes, evidence.ported.held_shapes
    if left.count(left[row]) != right.count(left[row]):
        return False  # one of them is not run by one side, and what follows takes its place
    partner = {other: one for one, other in pairs.items()}
    rows = (each for each in np.flatnonzero(evidence.inputs[:, column]).tolist() if left[each] == left[row])
    columns = (each for each in np.flatnonzero(evidence.inputs[row]).tolist() if right[each] == right[column])
    return any(each not in pairs or not evidence.inputs[each, pairs[each]] for each in rows) or any(
        each not in partner or not evidence.inputs[partner[each], each] for each in columns
    )


def _crossed(evidence: Evidence, pairs: dict[int, int], found: list[Pair]) -> set[Pair]:
    """Pairs of one make below one pair that cross each other's order, where nothing shows that this is right."""
    groups = _grouped(evidence, pairs, found)
    crossings = [
        (over, one, other)
        for (over, _), group in groups.items()
        for one, other in combinations(group, 2)
        if (one[0] - other[0]) * (one[1] - other[1]) < 0
    ]
    roles = _Roles(evidence, pairs, crossings)
    return {
        pair
        for over, one, other in crossings
        if not (_told_apart(evidence, one, other) or roles.meant(over, one, other))
        for pair in (one, other)
        if pair in pairs.items()
    }


def _grouped(evidence: Evidence, pairs: dict[int, int], found: list[Pair]) -> dict[tuple[int, object], list[Pair]]:
    """The pairs of one make below one pair; what is left over of it on both sides counts as pairs in its order."""
    parents, parents_right = evidence.placing(pairs).parents
    left, right = evidence.original.held_shapes, evidence.ported.held_shapes
    groups: dict[tuple[int, object], list[Pair]] = defaultdict(list)
    for row, column in found:
        if parents[row] == parents_right[column]:
            groups[int(parents[row]), left[row]].append((row, column))
    alone = [row for row in range(len(left)) if row not in pairs]
    others = set(range(len(right))) - set(pairs.values())
    for (over, make), group in groups.items():
        rows = [row for row in alone if parents[row] == over and left[row] == make]
        columns = [column for column in sorted(others) if parents_right[column] == over and right[column] == make]
        group += zip(rows, columns, strict=True) if len(rows) == len(columns) else ()
    return groups


def _works(evidence: Evidence, pairs: dict[int, int], over: int) -> bool:
    return over >= 0 and evidence.flow.works(over, pairs[over])


def _told_apart(evidence: Evidence, one: Pair, other: Pair) -> bool:
    """Whether what they are given says which is which, and agrees with their weights."""
    inputs = evidence.inputs
    (a, b), (c, d) = one, other
    return bool(inputs[a, b] and inputs[c, d] and not inputs[a, d] and not inputs[c, b])


class _Roles:
    """Whether it is the habit of a port to call modules of two roles in another order than the original."""

    def __init__(self, evidence: Evidence, pairs: dict[int, int], crossings: list[tuple[int, Pair, Pair]]) -> None:
        self.evidence = evidence
        self.original = evidence.original.roles
        self.ported = evidence.ported.roles
        self.pairs = pairs
        self.right: set[tuple[str, str]] = set()
        self.wrong: set[tuple[str, str]] = set()
        for over, *crossing in crossings:
            roles = {self._of(pair) for pair in crossing}
            if over >= 0 and evidence.flow.works(over, pairs[over], exactly=True):
                self.right |= roles
            elif over >= 0 and evidence.inputs[over, pairs[over]] and not _works(evidence, pairs, over):
                self.wrong |= roles

    def _of(self, pair: Pair) -> tuple[str, str]:
        return self.original[pair[0]], self.ported[pair[1]]

    def meant(self, over: int, one: Pair, other: Pair) -> bool:
        """Whether modules that work cross in this way, or else all do and none is seen to fail."""
        roles = {self._of(one), self._of(other)}
        if _works(self.evidence, self.pairs, over) and not roles & self.wrong - self.right:
            return True
        if len({role for role, _ in roles}) < 2 or len({role for _, role in roles}) < 2:
            return False
        if roles <= self.right:
            return True
        return not roles & self.wrong and all(set(self._partners(role)) == {ported} for role, ported in roles)

    def _partners(self, role: str) -> Iterator[str]:
        return (self.ported[column] for row, column in self.pairs.items() if self.original[row] == role)
