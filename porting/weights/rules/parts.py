"""Operations on the parts between a split and what follows: a different one for each, or another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from porting.errors import RuleError
from porting.weights.rules.operation import Groups, OnEach, Operation


@dataclass(frozen=True, repr=False, init=False)
class Each(Operation):
    """An operation for each part by itself, None for one that stays: q and k of a split turned, v as it is.

    ``Each(PermuteRope(8), PermuteRope(2), None)`` after ``Split((512, 128, 128))``.
    """

    operations: tuple[OnEach | None, ...]

    def __init__(self, *operations: OnEach | None) -> None:
        if not all(each is None or isinstance(each, OnEach) for each in operations):
            raise RuleError(
                "Each takes operations that change one tensor, or None", hint="as PermuteRope() or Transpose()"
            )
        object.__setattr__(self, "operations", operations)

    def apply(self, groups: Groups) -> Groups:
        """Change each part.

        Raises:
            RuleError: there are not as many parts as operations.
        """
        if len(groups) != len(self.operations):
            raise RuleError(f"{self!r} takes {len(self.operations)} parts, and {len(groups)} are given")
        return [
            group if each is None else [each.change(tensor) for tensor in group]
            for group, each in zip(groups, self.operations, strict=True)
        ]

    def inverse(self) -> Each | None:
        """Each undone, if all can be."""
        undone = [each and each.inverse() for each in self.operations]
        if any(one is None and each is not None for one, each in zip(undone, self.operations, strict=True)):
            return None
        return Each(*(each for each in undone if each is None or isinstance(each, OnEach)))

    def resolved(self, config: Any) -> Each:
        """The same with the config's numbers.

        Raises:
            RuleError: the config has no such attribute, or it is not a positive number.
        """
        found = [None if each is None else each.resolved(config) for each in self.operations]
        return Each(*(each for each in found if each is None or isinstance(each, OnEach)))

    def _arguments(self) -> list[str]:
        return [repr(each) for each in self.operations]

    def __str__(self) -> str:
        """In words."""
        return " / ".join("as it is" if each is None else str(each) for each in self.operations)


@dataclass(frozen=True, repr=False, init=False)
class Reorder(Operation):
    """Bring the parts into another order: ``Reorder(1, 0)`` between a split and a concatenation for up before gate."""

    order: tuple[int, ...]

    def __init__(self, *order: int) -> None:
        if sorted(order) != list(range(len(order))):
            raise RuleError(f"Reorder takes every place once, from 0, and {list(order)} were given")
        object.__setattr__(self, "order", order)

    def apply(self, groups: Groups) -> Groups:
        """Reorder them.

        Raises:
            RuleError: there are not as many parts.
        """
        if len(groups) != len(self.order):
            raise RuleError(f"{self!r} takes {len(self.order)} parts, and {len(groups)} are given")
        return [groups[place] for place in self.order]

    def inverse(self) -> Reorder:
        """The order that brings them back."""
        return Reorder(*(self.order.index(place) for place in range(len(self.order))))

    def _arguments(self) -> list[str]:
        return [str(place) for place in self.order]

    def __str__(self) -> str:
        """In words."""
        return f"parts in the order {', '.join(map(str, self.order))}"
