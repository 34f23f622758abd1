"""Evidence from structure: containers that hold the same aligned weights correspond."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from porting.alignment.model import Group
from porting.alignment.weights import Atom
from porting.trace import Trace

MIN_OVERLAP = 0.5
"""Share of common weights (intersection over union) from which containers can correspond."""

Contents = Mapping[str, frozenset[int]]


def match_containers(
    original: Trace, ported: Trace, atoms: Sequence[Atom], taken: Callable[[str, str], bool]
) -> list[Group]:
    """Pair executed containers by the atoms below them.

    Args:
        original: the original's trace.
        ported: the port's trace.
        atoms: aligned weights.
        taken: whether the original or the ported path already has a counterpart.
    """
    left = _contents(original, [atom.original for atom in atoms])
    right = _contents(ported, [atom.ported for atom in atoms])
    left = {path: held for path, held in left.items() if not taken(path, "\0")}
    right = {path: held for path, held in right.items() if not taken("\0", path)}
    groups = _equal_contents(left, right)
    done_left = {group.original[0] for group in groups}
    done_right = {group.ported[0] for group in groups}
    return groups + _overlapping(
        {path: held for path, held in left.items() if path not in done_left},
        {path: held for path, held in right.items() if path not in done_right},
    )


def _contents(trace: Trace, owners: Sequence[tuple[str, ...]]) -> dict[str, frozenset[int]]:
    """The atoms at or below every executed module, outermost first; the model itself is left out."""
    held: dict[str, set[int]] = defaultdict(set)
    for number, paths in enumerate(owners):
        for path in set.intersection(*({*_ancestors(each)} for each in paths)):
            held[path].add(number)
    called = dict.fromkeys(call.path for call in trace.calls)
    return {path: frozenset(held[path]) for path in called if path and held.get(path)}


def _ancestors(path: str) -> list[str]:
    """The path itself and everything above it, without the model."""
    names = path.split(".") if path else []
    return [".".join(names[:length]) for length in range(len(names), 0, -1)]


def _equal_contents(left: Contents, right: Contents) -> list[Group]:
    """Containers with the same atoms; nested ones with the same atoms are paired from the innermost out."""
    chains: dict[frozenset[int], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, contents in enumerate((left, right)):
        for path, held in contents.items():
            chains[held][side].append(path)
    groups = []
    for one, other in chains.values():
        for a, b in zip(*_chain(one, other), strict=False):
            groups.append(Group((a,), (b,), "contains the same weights", 0.95 if len(one) == len(other) else 0.7))
    return groups


def _chain(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    """Order two chains of nested containers for pairing: equal last names first, then innermost first."""
    names = {path.rsplit(".", 1)[-1] for path in left} & {path.rsplit(".", 1)[-1] for path in right}

    def key(path: str) -> tuple[bool, str, int]:
        name = path.rsplit(".", 1)[-1]
        return (name not in names, name if name in names else "", -path.count("."))

    if len(left) == len(right):
        return left, right
    return sorted(left, key=key), sorted(right, key=key)


def _overlapping(left: Contents, right: Contents) -> list[Group]:
    """Containers that share most of their atoms, each other's best."""
    overlap = {(a, b): len(x & y) / len(x | y) for a, x in left.items() for b, y in right.items() if x & y}
    best_left: dict[str, str] = {}
    best_right: dict[str, str] = {}
    for a, b in sorted(overlap, key=lambda pair: overlap[pair]):
        best_left[a], best_right[b] = b, a
    return [
        Group((a,), (b,), f"contains {overlap[a, b]:.0%} of the same weights", 0.8 * overlap[a, b])
        for a, b in best_left.items()
        if best_right[b] == a and overlap[a, b] >= MIN_OVERLAP
    ]
