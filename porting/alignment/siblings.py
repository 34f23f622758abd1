"""Evidence from order: modules without telling weights, matched below an aligned parent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from porting.alignment.model import Group
from porting.assignment import assign
from porting.trace import Call, Trace

ACCEPTED = 2.0
"""Least score of a pair: the same place between aligned neighbours, or the same class, with the same shape."""


class Siblings:
    """Matches the modules whose nearest aligned ancestors are a pair, from the outermost pair inwards."""

    def __init__(self, original: Trace, ported: Trace, pairs: dict[str, str]) -> None:
        """``pairs`` (original to ported path) is extended in place by `match`."""
        self.original = original
        self.ported = ported
        self.pairs = pairs

    def match(self) -> list[Group]:
        """Match until nothing more is found."""
        groups: list[Group] = []
        while found := self._round():
            groups += found
        return groups

    def _round(self) -> list[Group]:
        groups = []
        for one, other in list(self.pairs.items()):
            left = self._open_children(self.original, one, set(self.pairs))
            right = self._open_children(self.ported, other, set(self.pairs.values()))
            for a, b, score in self._assign(left, right):
                self.pairs[a] = b
                groups.append(Group((a,), (b,), "call order, shape and class", min(0.9, 0.1 * score)))
        return groups

    def _open_children(self, trace: Trace, path: str, aligned: set[str]) -> list[tuple[Call, str]]:
        """First calls of unaligned modules whose nearest aligned ancestor is ``path``, in order.

        Each comes with the aligned module that was called last before it (at first ``path`` itself).
        """
        call = trace.first_calls.get(path)
        stack = list(reversed(trace.children.get(call.index, ()))) if call else []
        found: list[tuple[Call, str]] = []
        before = path
        while stack:
            child = stack.pop()
            if child.path in aligned:
                before = child.path
                continue
            if child.repeat == 0:
                found.append((child, before))
            stack.extend(reversed(trace.children.get(child.index, ())))
        return found

    def _assign(
        self, left: Sequence[tuple[Call, str]], right: Sequence[tuple[Call, str]]
    ) -> list[tuple[str, str, float]]:
        if not left or not right:
            return []
        scores = np.array([[self._score(one, other) for other in right] for one in left])
        return [
            (left[i][0].path, right[j][0].path, float(scores[i, j]))
            for i, j in assign(scores, maximize=True)
            if scores[i, j] >= ACCEPTED
        ]

    def _score(self, one: tuple[Call, str], other: tuple[Call, str]) -> float:
        (a, before_a), (b, before_b) = one, other
        if (
            _kind(b) not in (_kind(a), "identity")
            or not _compatible(_shape(a), _shape(b))
            or self._weights(a, b)
            or not self._same_inside(a, b)
        ):
            return 0.0
        same_place = self.pairs.get(before_a, "") == before_b
        same_name = a.path.rsplit(".", 1)[-1] == b.path.rsplit(".", 1)[-1]
        same_class = _class(a) == _class(b) and (same_place or same_name or _kind(b) == "other")
        return 2.0 * same_place + 2.0 * same_class + 1.5 * same_name

    def _same_inside(self, a: Call, b: Call) -> bool:
        """Whether what is aligned below the one is aligned with what is below the other."""
        return all(one.startswith(f"{a.path}.") == other.startswith(f"{b.path}.") for one, other in self.pairs.items())

    def _weights(self, a: Call, b: Call) -> bool:
        """Whether the two own tensors of different shapes."""
        left, right = self.original.modules[a.path], self.ported.modules[b.path]
        shapes = [
            sorted(tuple(sorted(p.shape)) for p in module.parameters if p.kind == "parameter")
            for module in (left, right)
        ]
        return shapes[0] != shapes[1] and _kind(b) != "identity"


def _shape(call: Call) -> tuple[int, ...] | None:
    return next((leaf.shape for leaf in call.outputs.tensor_leaves()), None)


def _compatible(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> bool:
    """Whether two results can be the same: equal shapes, axes in another order, or one row for equal ones."""
    if one is None or other is None:
        return one is other
    return sorted(one) == sorted(other) or (one[1:] == other[1:] and 1 in (one[:1] + other[:1]))


def _class(call: Call) -> str:
    return call.class_name.lower().removesuffix("activation")


def _kind(call: Call) -> str:
    name = call.class_name.lower()
    return "dropout" if "drop" in name else "identity" if "identity" in name else "other"
