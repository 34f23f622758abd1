"""Which names belong together: each goes to the first rule that matches it, and there to those of the same fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from porting.errors import RuleError
from porting.text import show
from porting.weights.report import Spec
from porting.weights.rules.patterns import Pattern
from porting.weights.rules.rule import Convert, Drop, Rule


class Match(NamedTuple):
    """One application of a rule, as its names are found.

    Attributes:
        rule: the rule.
        bindings: what its fields stand for.
        found: for each source pattern its names by their number along the list axis, ``""`` where it has none.
    """

    rule: Convert
    bindings: dict[str, str]
    found: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, rule: Convert, bindings: dict[str, str]) -> Match:
        """Without any name yet."""
        return cls(rule, bindings, tuple({} for _ in rule.sources))

    def add(self, place: int, bindings: Mapping[str, str], name: str) -> None:
        """Add a name that the source pattern at this place matches."""
        self.found[place][bindings.get(self.rule.axes[place] or "", "")] = name

    @property
    def names(self) -> tuple[str, ...]:
        """All that are found."""
        return tuple(name for group in self.found for name in group.values())

    def groups(self) -> list[list[str]]:
        """The names for each source pattern, along the list axis by number.

        Raises:
            RuleError: one is missing.
        """
        numbers = {number for group in self.found for number in group} - {""} or {"0"}
        places = zip(self.rule.sources, self.rule.axes, self.found, strict=True)
        return [self._ordered(pattern, axis, group, numbers if axis else {""}) for pattern, axis, group in places]

    def _ordered(self, pattern: Pattern, axis: str | None, group: Mapping[str, str], numbers: set[str]) -> list[str]:
        ordered = sorted(numbers, key=lambda number: int(number or 0))
        missing = next((number for number in ordered if number not in group), None)
        for before, after in pairwise(ordered):
            if int(after) == int(before):
                raise RuleError(f"two tensors of {show(pattern)} have one number: {show(before)} and {show(after)}")
            if missing is None and int(after) > int(before) + 1:
                missing = str(int(before) + 1)
        if missing is not None:
            name = pattern.fill({**self.bindings, **({axis: missing} if axis else {})})
            raise RuleError(
                f"there is no {show(name)}, which belongs to {show(self.names[0])}",
                hint="a bias that one of several lacks takes a rule of its own, with InsertZeros()",
            )
        return [group[number] for number in ordered]

    def targets(self, results: Sequence[Sequence[Spec]]) -> tuple[str, ...]:
        """The names that are made, for what the operations give.

        Raises:
            RuleError: they give other numbers of tensors than there are targets.
        """
        if len(results) != len(self.rule.targets):
            raise RuleError(f"the operations give {len(results)} tensors for {len(self.rule.targets)} targets")
        names = []
        for pattern, free, group in zip(self.rule.targets, self.rule.free, results, strict=True):
            if free is None and len(group) != 1:
                raise RuleError(f"the operations give {len(group)} tensors for the one target {show(pattern)}")
            if not group:
                raise RuleError(f"the operations give no tensor for {show(pattern)}")
            names += [pattern.fill({**self.bindings, **({free: str(i)} if free else {})}) for i in range(len(group))]
        return tuple(names)

    def expected(self) -> tuple[str, ...]:
        """The targets that would be made, as far as their names are known."""
        named = zip(self.rule.targets, self.rule.free, strict=True)
        try:
            return tuple(pattern.fill(self.bindings) for pattern, free in named if free is None)
        except RuleError:
            return ()


class _Candidate(NamedTuple):
    """A source pattern: how names begin that it matches, what they contain, and where it stands."""

    begins: str
    contains: str
    match: Callable[[str], dict[str, str] | None]
    number: int
    place: int


class Gatherer:
    """Finds for each name the rule that takes it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._candidates = [
            _Candidate(pattern.prefix, pattern.inner, pattern.match, number, place)
            for number, rule in enumerate(rules)
            for place, pattern in enumerate((rule.source,) if isinstance(rule, Drop) else rule.sources)
        ]

    def first(self, name: str) -> tuple[int, int, dict[str, str]]:
        """The number of the rule, which of its sources matches, and what the fields are; -1 where no rule does."""
        for begins, contains, match, number, place in self._candidates:
            if name.startswith(begins) and contains in name:
                bindings = match(name)
                if bindings is not None:
                    return number, place, bindings
        return -1, 0, {}
