"""How the port lays out the original's tensors: by what is returned where both sides are clearly equal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from porting.alignment.model import Group
from porting.alignment.scoring import Evidence
from porting.trace import Call, Leaf

if TYPE_CHECKING:
    from porting.comparison.layout import Layout, Shape

ENOUGH = 5
"""Pairs of tensors looked at for two shapes."""


def seen_layouts(evidence: Evidence, pairs: Mapping[int, int]) -> dict[tuple[Shape, Shape], Layout]:
    """By the shapes of the two sides, the layout under which most of the equal results have the same content."""
    from porting.comparison.layout import AGREES, distance, find_layout  # comparisons stand on this room

    votes: dict[tuple[Shape, Shape], Counter[Layout]] = defaultdict(Counter)
    for row, column in pairs.items():
        one, other = _result(evidence.original.calls[row]), _result(evidence.ported.calls[column])
        if not evidence.outputs[row, column] or one is None or other is None:
            continue
        found = votes[one.shape or (), other.shape or ()]
        if found.total() < ENOUGH:
            left, right = evidence.original.trace.tensor(one), evidence.ported.trace.tensor(other)
            layout = find_layout(left, tuple(right.shape), right)
            if layout is not None and distance(layout.apply(left), right) <= AGREES:
                found[layout] += 1
    return {shapes: found.most_common(1)[0][0] for shapes, found in votes.items() if found}


def laid_out(evidence: Evidence, groups: Iterable[Group], seen: Mapping[tuple[Shape, Shape], Layout]) -> list[Group]:
    """The groups, each with the layout of its first result."""
    return [replace(group, layout=group.layout or _layout(evidence, group, seen)) for group in groups]


def _layout(evidence: Evidence, group: Group, seen: Mapping[tuple[Shape, Shape], Layout]) -> str | None:
    if len(group.original) > 1 or len(group.ported) > 1:
        return None
    traces = evidence.original.trace, evidence.ported.trace
    calls = [
        trace.first_calls.get(*paths) for trace, paths in zip(traces, (group.original, group.ported), strict=True)
    ]
    one, other = (None if call is None else _result(call) for call in calls)
    if one is None or other is None or (one.shape or (), other.shape or ()) not in seen:
        return None
    from porting.comparison.layout import find_layout  # as above

    found = find_layout(traces[0].tensor(one), other.shape or (), traces[1].tensor(other), seen)
    return str(found) or None


def _result(call: Call) -> Leaf | None:
    return next((leaf for leaf in call.outputs.tensor_leaves() if "float" in str(leaf.dtype)), None)
