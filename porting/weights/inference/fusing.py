"""Tensors that are fused on one side: q, k and v, gate and up, experts; found by sizes that add up and by names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from porting.weights.inference.claims import Claim
from porting.weights.inference.likeness import Likeness
from porting.weights.inference.operating import Operations
from porting.weights.inference.turning import Turning
from porting.weights.inference.units import Shape, Unit
from porting.weights.inference.words import words
from porting.weights.rules.grouping import Concatenate, Split, Stack, Unstack
from porting.weights.rules.layout import Transpose

ORDER = ("q", "k", "v", "gate", "up", "down")
"""The order in which parts usually lie."""
KNOWN = ({"q", "k", "v"}, {"k", "v"}, {"q", "k"}, {"q", "v"}, {"gate", "up"})
MOST = 4
LEAST = 2.6
"""The mean likeness of names below which parts are none of a whole."""
ROLE_BONUS = 1.0


@dataclass(frozen=True)
class _Fusion:
    whole: Unit
    parts: tuple[Unit, ...]
    operations: Operations
    score: float


def fused(
    likeness: Likeness, sources: Collection[Unit], targets: Collection[Unit], turning: Turning, *, forced: bool
) -> list[Claim]:
    """Claims of tensors that are split, and of such that are joined, on the way to the port.

    Args:
        likeness: of the names.
        sources: the checkpoint's that are free.
        targets: the port's that are free.
        turning: whether matrices are transposed.
        forced: only wholes whose dimensions no tensor of the other side has.
    """
    keys = ({unit.key for unit in sources}, {unit.key for unit in targets})
    found: list[_Fusion] = []
    for whole_side, part_side, others, splits in (
        (sources, targets, keys[1], True),
        (targets, sources, keys[0], False),
    ):
        siblings = _siblings(part_side)
        for whole in whole_side:
            if len(whole.dims) and not (forced and whole.key in others):
                found += _fusions(likeness, whole, siblings, turning, splits=splits)
    return [_claim(each, targets) for each in _chosen(found)]


def _siblings(units: Collection[Unit]) -> list[list[Unit]]:
    """The tensors of one kind in modules side by side."""
    groups: dict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit in units:
        pieces = unit.name.split(".")
        at = -2 if pieces[-1] in ("weight", "bias", "kernel") and len(pieces) > 1 else -1
        end = pieces[-1] if at == -2 else "bias" if pieces[-1].endswith("bias") else ""
        groups[".".join(pieces[:at]), end].append(unit)
    return [group for group in groups.values() if len(group) > 1]


def _fusions(
    likeness: Likeness, whole: Unit, siblings: list[list[Unit]], turning: Turning, *, splits: bool
) -> Iterator[_Fusion]:
    for group in siblings:
        fitting = [unit for unit in group if len(unit.dims) in (len(whole.dims), len(whole.dims) - 1)]
        smaller = [unit for unit in fitting if unit.numel < whole.numel]
        for parts in _subsets(smaller):
            if sum(part.numel for part in parts) == whole.numel and (_known(parts) or _alike(parts)):
                ordered = _in_order(whole, parts)
                turned = turning.turned((ordered[0] if splits else whole).owner)
                operations = _operations(whole, ordered, splits=splits, turned=turned)
                score = _score(likeness, whole, ordered, splits=splits)
                if operations is not None and score > LEAST:
                    yield _Fusion(whole, ordered, operations, score)


def _subsets(units: Sequence[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Those of known roles, those of one kind, and those one after the other."""
    seen = set()
    for size in range(2, min(len(units), MOST) + 1):
        runs = [tuple(units[at : at + size]) for at in range(len(units) - size + 1)]
        few = list(combinations(units, size)) if len(units) <= 12 else []
        told = [
            *filter(_known, few),
            *(each for each in few if _alike(each) and len({unit.shape for unit in each}) == 1),
        ]
        for each in (*told, *runs):
            if each not in seen:
                seen.add(each)
                yield each


def role(unit: Unit) -> str:
    """What a part is by its name: ``q``, ``gate``, ...; nothing if that is not said."""
    found = [word for word in words(unit.name) if word in ORDER]
    return found[-1] if found else ""


def _known(parts: Sequence[Unit]) -> bool:
    return {role(part) for part in parts} in KNOWN


def _alike(parts: Sequence[Unit]) -> bool:
    """Whether the names differ by numbers only."""
    return len({words(part.name) for part in parts}) == 1


def _in_order(whole: Unit, parts: Sequence[Unit]) -> tuple[Unit, ...]:
    """As the name of the whole says, else as is usual, else as they stand."""
    if _known(parts):
        said = [word for word in words(whole.name) if word in ORDER]
        told = said if {role(part) for part in parts} <= set(said) else list(ORDER)
        return tuple(sorted(parts, key=lambda part: told.index(role(part))))
    return tuple(parts)


def _score(likeness: Likeness, whole: Unit, parts: Sequence[Unit], *, splits: bool) -> float:
    pairs = [(whole, part) if splits else (part, whole) for part in parts]
    mean = sum(likeness.naming(*pair) for pair in pairs) / len(pairs)
    return mean + ROLE_BONUS * _known(parts) + (0.3 * len(parts) if _known(parts) else 0.0)


def _operations(whole: Unit, parts: Sequence[Unit], *, splits: bool, turned: bool) -> Operations | None:
    """What makes the parts of the whole, or the whole of the parts, transposed or not where shapes allow both.

    None if they allow neither.
    """
    given, made = ((whole,), parts) if splits else (parts, (whole,))
    if len({unit.is_list for unit in given}) > 1 or len({unit.is_list for unit in made}) > 1:
        return None
    full, shapes = whole.shape, [part.shape for part in parts]
    before: Operations = (Stack(),) if given[0].is_list else ()
    after: Operations = (Unstack(),) if made[0].is_list else ()
    for turns in (turned, not turned):
        if turns and (len(full) < 2 or any(len(shape) < 2 for shape in shapes)):
            continue
        laid = [_turned(shape) if turns else shape for shape in ([full] if splits else shapes)]
        axis = _axis(laid[0], shapes) if splits else _axis(full, laid)
        if axis is not None:
            turn: Operations = (Transpose(-2, -1) if len(full) > 2 else Transpose(),) if turns else ()
            return (*before, *turn, _joint(shapes if splits else laid, axis, splits=splits), *after)
    if all(shape == full[1:] for shape in shapes) and len(shapes) == full[0]:
        return (Unstack(),) if splits else None
    return None


def _joint(shapes: Sequence[Shape], axis: int, *, splits: bool) -> Split | Concatenate:
    sizes = tuple(shape[axis] for shape in shapes)
    equal = len(set(sizes)) == 1
    if splits:
        return Split(None if equal else sizes, axis, count=len(sizes) if equal else None)
    return Concatenate(axis, sizes=None if equal else sizes)


def _turned(shape: Shape) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


def _axis(full: Shape, parts: Sequence[Shape]) -> int | None:
    """The axis along which the parts make up the whole; the outputs' if there are several."""
    found = [
        axis
        for axis in range(len(full))
        if all(len(part) == len(full) and _without(part, axis) == _without(full, axis) for part in parts)
        and sum(part[axis] for part in parts) == full[axis]
    ]
    return found[0] if found else None


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _chosen(found: Sequence[_Fusion]) -> list[_Fusion]:
    """The best first, no tensor twice."""
    used: set[str] = set()
    chosen = []
    for each in sorted(found, key=lambda fusion: -fusion.score):
        names = {unit.name for unit in (each.whole, *each.parts)}
        if not names & used:
            used |= names
            chosen.append(each)
    return chosen


def _claim(fusion: _Fusion, targets: Collection[Unit]) -> Claim:
    sizes = {part.shape for part in fusion.parts}
    named = _known(fusion.parts)
    confidence = 0.6 + 0.15 * named + 0.1 * (len(sizes) > 1)
    splits = fusion.whole not in targets
    evidence = (
        f"{len(fusion.parts)} tensors' sizes add up" + (", and their names say what they are" if named else ""),
    )
    one, other = ((fusion.whole,), fusion.parts) if splits else (fusion.parts, (fusion.whole,))
    return Claim(one, other, fusion.operations, confidence, evidence)
