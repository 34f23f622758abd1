"""Operations on one of several tensors, and on their order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from porting.errors import RuleError
from porting.weights.rules.operation import Groups, Operation


@dataclass(frozen=True, repr=False)
class At(Operation):
    """An operation on one of the tensors only: ``Split(...), At(0, PermuteRope(32)), At(1, PermuteRope(8))``.

    Attributes:
        place: which one, from 0, in the order of the sources or of the pieces before.
        operation: what is done with it.
    """

    place: int
    operation: Operation

    @property
    def exact(self) -> bool:
        """As the operation is."""
        return self.operation.exact

    def apply(self, groups: Groups) -> Groups:
        """Change the one.

        Raises:
            RuleError: there is no such place, or the operation makes several of it.
        """
        if not 0 <= self.place < len(groups):
            raise RuleError(f"{self!r} is given {len(groups)} tensors, counted from 0")
        changed = self.operation.apply([groups[self.place]])
        if len(changed) != 1:
            raise RuleError(f"{self!r} makes {len(changed)} tensors of one")
        return [*groups[: self.place], *changed, *groups[self.place + 1 :]]

    def inverse(self) -> At | None:
        """The operation's, at the same place."""
        undone = self.operation.inverse()
        return None if undone is None else At(self.place, undone)

    def resolved(self, config: Any) -> At:
        """With the operation's numbers."""
        return replace(self, operation=self.operation.resolved(config))

    def _arguments(self) -> list[str]:
        return [repr(self.place), repr(self.operation)]

    def __str__(self) -> str:
        """In words."""
        return f"of tensor {self.place}: {self.operation}"


@dataclass(frozen=True, repr=False)
class InsertZeros(Operation):
    """Put zeros in, of the first tensor's shape and dtype: the bias of keys, which BEiT or Whisper do without.

    Attributes:
        place: where, counted as the tensors are after it.
    """

    place: int

    def apply(self, groups: Groups) -> Groups:
        """Put them in.

        Raises:
            RuleError: there are fewer tensors.
        """
        if not 0 <= self.place <= len(groups):
            raise RuleError(f"{self!r} is given {len(groups)} tensors, counted from 0")
        return [*groups[: self.place], [torch.zeros_like(groups[0][0])], *groups[self.place :]]

    def pieces(self, number: int | None) -> int | None:
        """One more."""
        return None if number is None else number + 1

    def __str__(self) -> str:
        """In words."""
        return f"zeros as tensor {self.place}"


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
