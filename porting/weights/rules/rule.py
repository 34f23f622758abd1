"""Rules: which checkpoint tensors become which of the port, by name patterns and operations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from porting.errors import RuleError
from porting.text import show
from porting.weights.rules.grouping import Concatenate, Copy, Split, Stack, Unstack
from porting.weights.rules.operation import Operation
from porting.weights.rules.patterns import Field, Pattern
from porting.weights.rules.wellformed import check

Patterns = str | Pattern | Sequence[str | Pattern]


@dataclass(frozen=True, repr=False, init=False)
class Convert:
    """Tensors that become others.

    A field of a source that no target has is a list axis: the tensors along it, in the order of its numbers, are one
    group, as `Stack` takes it. A field that only a target has is numbered from 0, as `Unstack` gives it.

    Attributes:
        sources: patterns of checkpoint names, in the order in which the operations take the tensors.
        targets: patterns of the port's names.
        operations: what is done, in order; none for a name that changes only.
    """

    sources: tuple[Pattern, ...]
    targets: tuple[Pattern, ...]
    operations: tuple[Operation, ...]

    def __init__(self, sources: Patterns, targets: Patterns, *operations: Operation) -> None:
        for operation in operations:
            if not isinstance(operation, Operation):
                raise RuleError(f"{show(repr(operation), 60)} is no operation", hint="as Split() or Transpose()")
        object.__setattr__(self, "sources", tuple(pattern.as_source() for pattern in _patterns(sources)))
        object.__setattr__(self, "targets", _patterns(targets))
        object.__setattr__(self, "operations", _counted(operations, len(self.sources), len(self.targets)))
        check(self)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The fields that tell one application from another: those of the targets which the sources have, too."""
        shared = set.union(*(set(target.fields) for target in self.targets))
        return tuple(name for name in self.sources[0].fields if name in shared)

    @cached_property
    def axes(self) -> tuple[str | None, ...]:
        """For each source its list axis, if it has one."""
        return tuple(next((name for name in each.fields if name not in self.key), None) for each in self.sources)

    @cached_property
    def free(self) -> tuple[str | None, ...]:
        """For each target the field that only targets have, if there is one."""
        return tuple(next((name for name in each.fields if name not in self.key), None) for each in self.targets)

    def inverse(self) -> Convert | None:
        """The rule that leads back, or None where an operation has none or a field would be lost."""
        undone = [operation.inverse() for operation in reversed(self.operations)]
        operations = [operation for operation in undone if operation is not None]
        offsets = _offsets(self.targets)
        lost = len(operations) < len(undone) or _joins_lists(self.operations, listed=any(self.axes))
        if lost or any(len(values) > 1 for values in offsets.values()):
            return None
        kinds = {name: field.kind for source in self.sources for name, field in source.fields.items()}
        kinds |= {name: "d" for name in self.free if name is not None}
        sources = [_turned(target, kinds, {}) for target in self.targets]
        shifts = {name: -min(values) for name, values in offsets.items()}
        targets = [_turned(source, dict.fromkeys(self.key, ""), shifts) for source in self.sources]
        try:
            return Convert(sources, targets, *operations)
        except RuleError:  # as where two fields that were apart stand side by side
            return None

    def __str__(self) -> str:
        """In one line, in words."""
        sides = [" + ".join(map(show, side)) for side in (self.sources, self.targets)]
        done = "; ".join(map(str, self.operations))
        return " -> ".join(sides) + (f": {done}" if done else "")

    def __repr__(self) -> str:
        """The Python that makes it."""
        sides = [_written(self.sources), _written(self.targets)]
        return f"{type(self).__name__}({', '.join([*sides, *map(repr, self._written_operations())])})"

    def _written_operations(self) -> tuple[Operation, ...]:
        """The operations without the numbers of pieces that the rule knows by itself."""
        written = self.operations
        for place, operation in enumerate(written):
            if isinstance(operation, (Split, Concatenate)):
                without = (*written[:place], dataclasses.replace(operation, count=None), *written[place + 1 :])
                known = _counted(without, len(self.sources), len(self.targets)) == self.operations
                written = without if known else written
        return written


class Rename(Convert):
    """A tensor that changes its name only; with several targets, it becomes each of them."""

    def __init__(self, source: str | Pattern, target: str | Pattern, *also: str | Pattern) -> None:
        targets = (target, *also)
        super().__init__(source, targets, *([Copy(len(targets))] if also else []))

    def __repr__(self) -> str:
        """The Python that makes it."""
        return f"Rename({', '.join(repr(str(pattern)) for pattern in (*self.sources, *self.targets))})"


@dataclass(frozen=True, repr=False, init=False)
class Drop:
    """Checkpoint tensors that are left out on purpose.

    Attributes:
        source: the pattern of their names.
        reason: why, in words; it is printed and recorded.
    """

    source: Pattern
    reason: str

    def __init__(self, source: str | Pattern, reason: str) -> None:
        if not isinstance(reason, str) or not reason.strip():
            raise RuleError(f"Drop({source!r}) has no reason", hint='say why, as Drop("…", "computed by the port")')
        object.__setattr__(self, "source", Pattern.of(source).as_source())
        object.__setattr__(self, "reason", reason)

    def __str__(self) -> str:
        """In one line, in words."""
        return f"{show(self.source)} is left out: {show(self.reason, 200)}"

    def __repr__(self) -> str:
        """The Python that makes it."""
        return f"Drop({str(self.source)!r}, {self.reason!r})"


Rule = Convert | Drop


def _patterns(given: Patterns) -> tuple[Pattern, ...]:
    several = [given] if isinstance(given, (str, Pattern)) else list(given)
    if not several:
        raise RuleError("a rule needs at least one source and one target")
    return tuple(Pattern.of(each) for each in several)


def _counted(operations: Sequence[Operation], sources: int, targets: int) -> tuple[Operation, ...]:
    """The operations; a split into equal pieces and what joins tensors know by their rule how many there are."""
    number: int | None = sources
    counted = []
    for operation in operations:
        if isinstance(operation, (Split, Concatenate)) and operation.sizes is None and operation.count is None:
            count = targets if isinstance(operation, Split) else number
            operation = dataclasses.replace(operation, count=count)
        counted.append(operation)
        number = operation.pieces(number)
    return tuple(counted)


def _joins_lists(operations: Sequence[Operation], *, listed: bool) -> bool:
    """Whether tensors of a list axis are concatenated: nothing says how many there were."""
    for operation in operations:
        if isinstance(operation, (Stack, Unstack)):
            listed = isinstance(operation, Unstack)
        elif isinstance(operation, Concatenate) and listed:
            return True
    return False


def _offsets(targets: Sequence[Pattern]) -> dict[str, set[int]]:
    offsets: dict[str, set[int]] = {}
    for target in targets:
        for part in target.parts:
            if isinstance(part, Field):
                offsets.setdefault(part.name, set()).add(part.offset)
    return offsets


def _turned(pattern: Pattern, kinds: dict[str, str], offsets: dict[str, int]) -> Pattern:
    """A pattern for the other side: its fields with the kinds and offsets that they have there."""
    parts = [
        Field(part.name, kinds.get(part.name, part.kind), offsets.get(part.name, 0))
        if isinstance(part, Field)
        else part
        for part in pattern.parts
    ]
    return Pattern(tuple(parts))


def _written(patterns: tuple[Pattern, ...]) -> str:
    texts = [repr(str(pattern)) for pattern in patterns]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
