"""Evidence from weights: a converted port holds the original's tensors, possibly transposed, split or fused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from porting.assignment import assign
from porting.trace import ModuleInfo, ParameterInfo, Trace, shared_rows

CLOSE = 1e-2
"""Relative distance of signatures below which contents count as the same: bfloat16 rounding moves them by 2e-3."""
FUSED_SHARE = 0.95
"""Share of a tensor's rows that must be found in another for it to be a part of it."""
SAME_NAMES = 0.8
"""Share of common paths from which two trees are taken to be named alike, whatever the weights say."""


@dataclass(frozen=True, slots=True)
class Atom:
    """Owners of weights that correspond, one to one or a fused one to its parts."""

    original: tuple[str, ...]
    ported: tuple[str, ...]
    evidence: str
    confidence: float
    layout: str | None = None


def match_weights(original: Trace, ported: Trace) -> list[Atom]:
    """Pair the modules that own parameters by the contents of these; ambiguous contents by name and order."""
    left, right = _owners(original), _owners(ported)
    trust = _name_trust(left, right)
    atoms: list[Atom] = []
    for group_left, group_right in _by_shape(left, right):
        atoms += _assign(group_left, group_right, trust)
    atoms = [_bounded(atom, left, right) for atom in atoms]
    used_left = {path for atom in atoms for path in atom.original}
    used_right = {path for atom in atoms for path in atom.ported}
    rest_left = [owner for owner in left if owner.path not in used_left]
    rest_right = [owner for owner in right if owner.path not in used_right]
    fused = [Atom((whole,), parts, "weights, split", 1.0) for whole, parts in _fused(rest_left, rest_right)]
    taken = {path for atom in fused for path in atom.ported}
    rest_right = [owner for owner in rest_right if owner.path not in taken]
    split = [Atom(parts, (whole,), "weights, fused", 1.0) for whole, parts in _fused(rest_right, rest_left)]
    taken = {path for atom in fused + split for path in (*atom.original, *atom.ported)}
    return atoms + fused + split + list(_reordered(rest_left, rest_right, taken))


@dataclass(frozen=True, slots=True)
class _Owner:
    path: str
    place: float
    width: int | None
    class_name: str
    parameters: tuple[ParameterInfo, ...]

    @property
    def main(self) -> ParameterInfo:
        return max(self.parameters, key=lambda parameter: (int(np.prod(parameter.shape)), len(parameter.shape)))


def _owners(trace: Trace) -> list[_Owner]:
    """Modules with parameters or statistics of their own.

    ``place`` is their turn in execution, 0 to 1, and ``width`` the last dimension of what they return.
    """
    turns = {call.path: call.index for call in reversed(trace.calls)}
    shapes = {call.path: leaf.shape for call in trace.calls for leaf in call.outputs.tensor_leaves()}
    count = max(len(trace.calls), 1)
    return [
        _Owner(
            path=module.path,
            place=turns.get(module.path, count) / count,
            width=(shapes.get(module.path) or (None,))[-1],
            class_name=module.class_name,
            parameters=parameters,
        )
        for module in trace.modules.values()
        if (parameters := _informative(module))
    ]


def _informative(module: ModuleInfo) -> tuple[ParameterInfo, ...]:
    return tuple(
        parameter
        for parameter in module.parameters
        if parameter.kind != "non-persistent buffer" and parameter.sketch is not None and parameter.shape
    )


def _by_shape(left: Sequence[_Owner], right: Sequence[_Owner]) -> Iterator[tuple[list[_Owner], list[_Owner]]]:
    """Owners whose largest tensors have the same dimensions, in any order."""
    groups: dict[tuple[int, ...], tuple[list[_Owner], list[_Owner]]] = defaultdict(lambda: ([], []))
    for side, owners in enumerate((left, right)):
        for owner in owners:
            groups[tuple(sorted(owner.main.shape))][side].append(owner)
    return ((one, other) for one, other in groups.values() if one and other)


def _assign(left: Sequence[_Owner], right: Sequence[_Owner], trust: bool) -> Iterator[Atom]:
    values = np.array([[_value_evidence(one, other) for other in right] for one in left])
    names = np.array([[float(one.path == other.path) for other in right] for one in left])
    ties = np.array([[_tie_break(one, other) for other in right] for one in left])
    scores = 2.0 * values + (3.0 if trust else 0.0) * names + ties
    for i, j in assign(scores, maximize=True):
        if values[i, j] >= 0.5:
            evidence = "weights" if left[i].main.shape == right[j].main.shape else "weights, transposed"
            yield Atom((left[i].path,), (right[j].path,), evidence, 1.0 if values[i, j] == 1.0 else 0.8)
        elif trust and names[i, j]:
            yield Atom((left[i].path,), (right[j].path,), "name", 0.9)


def _bounded(atom: Atom, left: Sequence[_Owner], right: Sequence[_Owner]) -> Atom:
    """Mark modules of which one applies a weight that is applied above the other, as a bias that a head adds."""
    one = next(owner for owner in left if owner.path == atom.original[0])
    other = next(owner for owner in right if owner.path == atom.ported[0])
    if _held_above(one, other, right) or _held_above(other, one, left):
        return replace(atom, layout="a weight is applied outside")
    return atom


def _held_above(owner: _Owner, counterpart: _Owner, others: Sequence[_Owner]) -> bool:
    """Whether the modules above the counterpart hold what it lacks."""
    if len(owner.parameters) <= len(counterpart.parameters):
        return False
    if not all(any(_same(p, held) for held in owner.parameters) for p in counterpart.parameters):
        return False
    lacking = [p for p in owner.parameters if not any(_same(p, held) for held in counterpart.parameters)]
    above = [p for other in others if _is_above(other.path, counterpart.path) for p in other.parameters]
    return bool(lacking) and all(not _constant(p) and any(_same(p, held) for held in above) for p in lacking)


def _is_above(path: str, below: str) -> bool:
    return not path or below.startswith(f"{path}.")


def _value_evidence(one: _Owner, other: _Owner) -> float:
    """Share of the owners' tensors that are found on the other side; 0.5 if they are all equal constants."""
    telling = [p for p in other.parameters if not _constant(p)]
    if not telling:
        same = all(any(_same(mine, p) for mine in one.parameters) for p in other.parameters)
        return 0.5 * same * (len(one.parameters) == len(other.parameters))
    found = sum(any(_same(mine, p) for mine in one.parameters) for p in telling)
    return found / max(len(telling), sum(not _constant(p) for p in one.parameters))


def _tie_break(one: _Owner, other: _Owner) -> float:
    leaf = one.path.rsplit(".", 1)[-1] == other.path.rsplit(".", 1)[-1]
    return 0.2 * (1 - abs(one.place - other.place)) + 0.1 * leaf + 0.02 * (one.class_name == other.class_name)


def _name_trust(left: Sequence[_Owner], right: Sequence[_Owner]) -> bool:
    """Whether paths mean the same on both sides: the trees have the same names, or names and contents agree."""
    others = {owner.path: owner for owner in right}
    shared = [owner for owner in left if owner.path in others]
    if len(shared) >= SAME_NAMES * max(len(left), len(right)):
        return True
    evidence = [_value_evidence(owner, others[owner.path]) for owner in shared if _telling(owner)]
    return bool(evidence) and float(np.mean(evidence)) >= 0.5


def _telling(owner: _Owner) -> bool:
    return not all(map(_constant, owner.parameters))


def _same(one: ParameterInfo, other: ParameterInfo) -> bool:
    """Whether the contents are equal, up to a transposition of a matrix and the rounding of a cast."""
    assert one.sketch is not None
    assert other.sketch is not None
    if one.shape == other.shape:
        if one.dtype == other.dtype and one.sketch.crc32 == other.sketch.crc32:
            return True
        if all(_close(a, b) for a, b in zip(one.sketch.axes, other.sketch.axes, strict=True)):
            return True
    if len(one.shape) != 2 or one.shape != other.shape[::-1]:
        return False
    return _close(one.sketch.axes[0], other.sketch.axes[1]) and _close(one.sketch.axes[1], other.sketch.axes[0])


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    scale = float(np.linalg.norm(a))
    return float(np.linalg.norm(a - b)) <= CLOSE * scale if scale else not b.any()


def _constant(parameter: ParameterInfo) -> bool:
    assert parameter.sketch is not None
    return all(axis.size < 2 or bool(np.ptp(axis) == 0) for axis in parameter.sketch.axes)


def _fused(wholes: Sequence[_Owner], parts: Sequence[_Owner]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each owner whose matrix holds the rows of several others, with those; rows may be interleaved."""
    free = list(parts)
    for whole in wholes:
        found = [part for part in free if _is_part(whole.main, part.main)]
        if len(found) > 1 and sum(part.main.shape[0] for part in found) <= whole.main.shape[0]:
            free = [part for part in free if part not in found]
            yield whole.path, tuple(part.path for part in found)


def _reordered(left: Sequence[_Owner], right: Sequence[_Owner], taken: set[str]) -> Iterator[Atom]:
    """Projections with the same rows in another order, as fused ones that are interleaved otherwise."""
    for one in left:
        for other in right:
            if one.path in taken or other.path in taken or one.main.shape != other.main.shape:
                continue
            projects = all(owner.main.shape == (owner.width, owner.main.shape[-1]) for owner in (one, other))
            if projects and _same_rows(one.main, other.main):
                taken |= {one.path, other.path}
                yield Atom((one.path,), (other.path,), "weights, rows in another order", 0.9, "rows permuted")


def _same_rows(one: ParameterInfo, other: ParameterInfo) -> bool:
    assert one.sketch is not None
    assert other.sketch is not None
    return _close(np.sort(one.sketch.axes[0]), np.sort(other.sketch.axes[0])) and not _constant(one)


def _is_part(whole: ParameterInfo, part: ParameterInfo) -> bool:
    if len(whole.shape) != 2 or len(part.shape) != 2 or whole.shape[1] != part.shape[1]:
        return False
    if part.shape[0] >= whole.shape[0] or whole.sketch is None or part.sketch is None:
        return False
    return shared_rows(whole.sketch, part.sketch) >= FUSED_SHARE
