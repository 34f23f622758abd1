"""The solver: one assignment over all the evidence, repeated with what the last one made known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from porting.alignment.disputes import misplaced
from porting.alignment.layouts import laid_out, seen_layouts
from porting.alignment.model import Alignment, Group
from porting.alignment.reasons import reasons
from porting.alignment.scoring import Evidence, possible, scores
from porting.alignment.sides import Side
from porting.assignment import assign
from porting.errors import PortfileError
from porting.text import show
from porting.trace import Trace

ROUNDS = 12


def align(original: Trace, ported: Trace, module_map: Mapping[str, str] | None = None) -> Alignment:
    """Find which executed original module corresponds to which ported one.

    Args:
        original: the original's trace.
        ported: the port's trace.
        module_map: original path to ported path, where the user knows better.

    Raises:
        PortfileError: ``module_map`` names a module that does not exist.
    """
    fixed = dict(module_map or {})
    _check_map(original, ported, fixed)
    evidence = Evidence(Side(original), Side(ported))
    given = _given(evidence, fixed)
    split = [group for group in _split(evidence) if not _overruled(group, fixed)]
    pairs = _solve(evidence, given, split)
    groups = [Group(("",), ("",), "the models themselves", 1.0), *split]
    groups += [
        Group((one,), (other,), "the user's map", 1.0)
        for one, other in fixed.items()
        if one in evidence.original.row and other in evidence.ported.row and one and other
    ]
    groups += reasons(evidence, {row: column for row, column in pairs.items() if row not in given}, pairs)
    seen = seen_layouts(evidence, pairs)
    return replace(_assemble(original, ported, laid_out(evidence, groups, seen)), layouts=seen)


def _check_map(original: Trace, ported: Trace, fixed: Mapping[str, str]) -> None:
    for side, trace, paths in (("original", original, fixed), ("ported", ported, fixed.values())):
        for path in paths:
            if path not in trace.modules:
                raise PortfileError(f"MODULE_MAP names {show(path)}, which is no module of the {side} model")
    if len(set(fixed.values())) != len(fixed):
        raise PortfileError("MODULE_MAP maps two original modules to the same ported one")


def _given(evidence: Evidence, fixed: Mapping[str, str]) -> dict[int, int]:
    """What is beyond question: the models themselves, and the user's map."""
    left, right = evidence.original.row, evidence.ported.row
    return {left[one]: right[other] for one, other in {"": "", **fixed}.items() if one in left and other in right}


def _solve(evidence: Evidence, given: Mapping[int, int], split: Sequence[Group]) -> dict[int, int]:
    """Assign until nothing changes: what is known places what is not, and misleading weights are withdrawn."""
    closed = _closed(evidence, given, split)
    pairs = dict(given) | _assigned(evidence, dict(given), evidence.certain & ~closed)
    for _ in range(ROUNDS):
        misled = misplaced(evidence, pairs) - set(given.items())
        for row, column in misled:
            evidence.withdraw(row, column)
        known = {row: column for row, column in pairs.items() if (row, column) not in misled}
        found = dict(given) | _assigned(evidence, known, ~closed)
        if found == pairs:
            break
        pairs = found
    return pairs


def _closed(evidence: Evidence, given: Mapping[int, int], split: Sequence[Group]) -> np.ndarray:
    """Which two modules are not to be paired, as one of them has its counterpart; bool."""
    closed = np.zeros(evidence.shape, bool)
    left, right = evidence.original.row, evidence.ported.row
    closed[[*given, *(left[path] for group in split for path in group.original)]] = True
    closed[:, [*given.values(), *(right[path] for group in split for path in group.ported)]] = True
    return closed


def _assigned(evidence: Evidence, known: dict[int, int], allowed: np.ndarray) -> dict[int, int]:
    """The pairs with the greatest total score, seen from those that are known."""
    placing = evidence.placing(known)
    allowed = allowed & possible(evidence, placing)
    total = np.where(allowed, scores(evidence, placing), 0.0)
    return {row: column for row, column in assign(np.maximum(total, 0.0), maximize=True) if total[row, column] > 0}


def _split(evidence: Evidence) -> Iterator[Group]:
    """Modules that hold the rows of several others' weights."""
    contents, sides = evidence.contents, (evidence.original, evidence.ported)
    for found, whole_side, turned in ((contents.split, 0, False), (contents.fused, 1, True)):
        held = (contents.left, contents.right)
        done: set[str] = set()
        for fused in sorted(found, key=lambda each: -len(held[whole_side][each.whole].tensor.shape)):
            whole = held[whole_side][fused.whole].owner
            parts = tuple(dict.fromkeys(held[1 - whole_side][part].owner for part in fused.parts))
            ran = _called(sides[whole_side], [whole]) and _called(sides[1 - whole_side], parts)
            if len(parts) > 1 and ran and not done & {whole, *parts}:
                done |= {whole, *parts}
                one, other = (parts, (whole,)) if turned else ((whole,), parts)
                yield Group(one, other, "weights, fused" if turned else "weights, split", 1.0)


def _called(side: Side, paths: Sequence[str]) -> bool:
    """Whether these modules ran, and none of them is a container, which is told by what it holds."""
    return all(path in side.row and not _holds(side, path) for path in paths)


def _holds(side: Side, path: str) -> bool:
    """Whether a module has others below it that ran, or whose weights it uses without calling them."""
    below = (module for other, module in side.trace.modules.items() if other.startswith(f"{path}."))
    return bool(side.named_above[side.row[path]].any()) or any(module.parameters for module in below)


def _overruled(group: Group, fixed: Mapping[str, str]) -> bool:
    return any(path in fixed for path in group.original) or any(path in fixed.values() for path in group.ported)


def _assemble(original: Trace, ported: Trace, groups: list[Group]) -> Alignment:
    turn = {call.path: position for position, call in reversed(list(enumerate(ported.completed)))}
    groups = sorted(groups, key=lambda group: min(turn.get(path, len(turn)) for path in group.ported))
    matched = ({p for g in groups for p in g.original}, {p for g in groups for p in g.ported})
    left, right = (
        tuple(path for path in dict.fromkeys(call.path for call in trace.calls) if path not in done)
        for trace, done in zip((original, ported), matched, strict=True)
    )
    return Alignment(tuple(groups), left, right)
