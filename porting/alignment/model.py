"""The result of an alignment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from porting.trace import Call, Trace

if TYPE_CHECKING:
    from porting.comparison.layout import Layout, Shape


@dataclass(frozen=True, slots=True)
class Group:
    """Modules that correspond: most often one and one, for fused weights one and several.

    Attributes:
        original: paths on the original's side.
        ported: paths on the port's side.
        evidence: why, in a few words.
        confidence: 1.0 for equal weights or the user's map, less for weaker evidence.
        layout: how the original's results are laid out in the port, None if they are as they were.
        compared: False where the results are not to be equal, as rows are in another order by intent or a weight is
            applied outside.
        apart: names of the port's arguments that are not to be equal, as one side does inside what the other does
            before.
    """

    original: tuple[str, ...]
    ported: tuple[str, ...]
    evidence: str
    confidence: float
    layout: str | None = None
    compared: bool = True
    apart: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Alignment:
    """Which module is which.

    Attributes:
        groups: in the port's execution order.
        unmatched_original: executed original modules without a counterpart.
        unmatched_ported: executed ported modules without a counterpart.
        layouts: how the port lays out the original's tensors, by the two shapes.
        results: (original, ported) names of the models' own results that correspond, as far as the user said so.
    """

    groups: tuple[Group, ...]
    unmatched_original: tuple[str, ...]
    unmatched_ported: tuple[str, ...]
    layouts: Mapping[tuple[Shape, Shape], Layout] = field(default_factory=dict, repr=False)
    results: tuple[tuple[str, str], ...] = ()

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(original path, ported path) of every one-to-one group."""
        return tuple(
            (group.original[0], group.ported[0])
            for group in self.groups
            if len(group.original) == len(group.ported) == 1
        )

    @cached_property
    def reordered(self) -> frozenset[str]:
        """Ported paths whose outputs are the original's in another order or short of a bias: not to be compared."""
        return frozenset(path for group in self.groups if not group.compared for path in group.ported)

    @cached_property
    def apart(self) -> frozenset[tuple[str, str]]:
        """(ported path, argument) of what is given to both but is not to be compared."""
        return frozenset((path, name) for group in self.groups for path in group.ported for name in group.apart)

    @cached_property
    def original_of(self) -> Mapping[str, str]:
        """Original path by ported path."""
        return {ported: original for original, ported in self.pairs}

    def put_apart(self, arguments: Collection[tuple[str, str]]) -> Alignment:
        """The same with further arguments, as (ported path, name), that are not to be compared."""
        return (
            replace(self, groups=tuple(_put_apart(group, arguments) for group in self.groups)) if arguments else self
        )

    def calls(self, original: Trace, ported: Trace) -> list[tuple[Call, Call]]:
        """The aligned calls, in the order in which the ported ones returned."""
        found = []
        for call in ported.completed:
            path = None if call.path in self.reordered else self.original_of.get(call.path)
            other = None if path is None else original.by_key.get((call.step, path, call.repeat))
            if other is not None:
                found.append((other, call))
        return found


def _put_apart(group: Group, arguments: Collection[tuple[str, str]]) -> Group:
    names = frozenset(name for path, name in arguments if path in group.ported)
    return replace(group, apart=group.apart | names) if names else group
