"""Evidence from structure: containers that hold the same aligned weights correspond."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from porting.alignment.model import Group
from porting.alignment.weights import Atom
from porting.assignment import assign
from porting.trace import Trace

MIN_OVERLAP = 0.5
"""Share of common weights (intersection over union) from which containers can correspond."""

CLOSE = 1e-2
"""Relative L2 distance below which two results are the same, with or without a small upstream difference."""

Contents = Mapping[str, frozenset[int]]


def match_containers(original: Trace, ported: Trace, atoms: Sequence[Atom], pairs: Mapping[str, str]) -> list[Group]:
    """Pair executed containers by the atoms below them.

    Args:
        original: the original's trace.
        ported: the port's trace.
        atoms: aligned weights.
        pairs: original path to ported path, of the modules that have a counterpart already.
    """
    left = _contents(original, [atom.original for atom in atoms])
    right = _contents(ported, [atom.ported for atom in atoms])
    left = {path: held for path, held in left.items() if path not in pairs}
    matched = set(pairs.values())
    right = {path: held for path, held in right.items() if path not in matched}
    likeness = _Likeness(original, ported)
    groups = _equal_contents(left, right, likeness)
    done_left = {group.original[0] for group in groups}
    done_right = {group.ported[0] for group in groups}
    return groups + _overlapping(
        {path: held for path, held in left.items() if path not in done_left},
        {path: held for path, held in right.items() if path not in done_right},
        likeness,
    )


class _Likeness:
    """How unlike two containers are beside the weights that they hold: what they return, and their names."""

    def __init__(self, original: Trace, ported: Trace) -> None:
        self.original = original
        self.ported = ported

    def cost(self, a: str, b: str) -> float:
        """0 for equal results under one name; more than 1 if what they return differs or has another shape."""
        one, other = self.original.first_calls.get(a), self.ported.first_calls.get(b)
        if one is None or other is None:
            return 2.0
        left = next(one.outputs.tensor_leaves(), None)
        right = next(other.outputs.tensor_leaves(), None)
        if left is None or right is None or left.shape != right.shape:
            return 2.0
        x, y = self.original.tensor(left).double(), self.ported.tensor(right).double()
        scale = float(x.norm())
        return 1.0 * (float((x - y).norm()) > CLOSE * scale) + 0.1 * (_name(a) != _name(b))


def _contents(trace: Trace, owners: Sequence[tuple[str, ...]]) -> dict[str, frozenset[int]]:
    """The atoms at or below every executed module, outermost first; the model itself is left out."""
    held: dict[str, set[int]] = defaultdict(set)
    for number, paths in enumerate(owners):
        for path in set.intersection(*({*ancestors(each)} for each in paths)):
            held[path].add(number)
    called = dict.fromkeys(call.path for call in trace.calls)
    return {path: frozenset(held[path]) for path in called if path and held.get(path)}


def ancestors(path: str) -> list[str]:
    """The path itself and everything above it, without the model."""
    names = path.split(".") if path else []
    return [".".join(names[:length]) for length in range(len(names), 0, -1)]


def _equal_contents(left: Contents, right: Contents, likeness: _Likeness) -> list[Group]:
    """Containers with the same atoms; of nested ones with the same atoms those are paired that are most alike."""
    chains: dict[frozenset[int], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, contents in enumerate((left, right)):
        for path, held in contents.items():
            chains[held][side].append(path)
    groups = []
    for one, other in chains.values():
        pairs = zip(one, other, strict=True) if len(one) == len(other) else _alike(one, other, likeness)
        confidence = 0.95 if len(one) == len(other) else 0.7
        groups += [Group((a,), (b,), "contains the same weights", confidence) for a, b in pairs]
    return groups


def _alike(left: Sequence[str], right: Sequence[str], likeness: _Likeness) -> list[tuple[str, str]]:
    """Pair two chains of nested containers of different lengths."""
    if not left or not right:
        return []
    costs = np.array(
        [[likeness.cost(a, b) + 0.01 * abs(i - j) for j, b in enumerate(right)] for i, a in enumerate(left)]
    )
    return [(left[i], right[j]) for i, j in assign(costs) if costs[i, j] < 2.0]


def _overlapping(left: Contents, right: Contents, likeness: _Likeness) -> list[Group]:
    """Containers that share most of their atoms, each other's best, and that return the same or are named alike."""
    overlap = {(a, b): len(x & y) / len(x | y) for a, x in left.items() for b, y in right.items() if x & y}
    best_left: dict[str, str] = {}
    best_right: dict[str, str] = {}
    for a, b in sorted(overlap, key=lambda pair: overlap[pair]):
        best_left[a], best_right[b] = b, a
    return [
        Group((a,), (b,), f"contains {overlap[a, b]:.0%} of the same weights", 0.8 * overlap[a, b])
        for a, b in best_left.items()
        if best_right[b] == a and overlap[a, b] >= MIN_OVERLAP and (_name(a) == _name(b) or likeness.cost(a, b) < 1.0)
    ]


def _name(path: str) -> str:
    return path.rsplit(".", 1)[-1]
