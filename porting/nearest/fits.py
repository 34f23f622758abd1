"""How a block of a checkpoint fits into one of an architecture: which tensor is which, and what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from porting.nearest.cells import Cell, Held, Shape
from porting.nearest.roles import roles

Key = tuple[str, Shape]
Binding = Mapping[int, tuple[int, ...]]
"""The checkpoint's size for a size of the architecture; several where blocks say different ones."""
Open = dict[int, tuple[int, ...]]
MOST_KINDS = 160
"""Kinds of tensors of a block that are looked at."""


@dataclass(frozen=True)
class Placing:
    """Tensors of the checkpoint's block and those of the architecture's that they are.

    Attributes:
        sources: of the checkpoint.
        targets: of the architecture.
        how: ``same``, ``split``, ``joined``, or ``resized`` where only names and the number of dimensions agree.
    """

    sources: tuple[Held, ...]
    targets: tuple[Held, ...]
    how: str = "same"


@dataclass(frozen=True)
class Fit:
    """How one block fits into another.

    Attributes:
        placings: no tensor is in two.
        binding: the checkpoint's size for each of the architecture's.
        left: tensors of the checkpoint's block without a place.
        empty: tensors of the architecture's that nothing fills.
    """

    placings: tuple[Placing, ...]
    binding: Binding
    left: tuple[Held, ...]
    empty: tuple[Held, ...]

    @property
    def placed(self) -> int:
        """Tensors of the checkpoint's block with a place."""
        return sum(len(each.sources) for each in self.placings)

    @property
    def filled(self) -> int:
        """Tensors of the architecture's block that are filled."""
        return sum(len(each.targets) for each in self.placings)

    @property
    def share(self) -> float:
        """0 to 1: how much of both finds its like."""
        total = self.placed + self.filled + len(self.left) + sum(not held.optional for held in self.empty)
        return (self.placed + self.filled) / total if total else 0.0


@dataclass
class Side:
    """The tensors of a block that are free, by what they are and their sizes."""

    free: dict[Key, list[Held]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, cell: Cell, most: int = MOST_KINDS) -> Side:
        """All tensors of a block; of one with very many kinds, the first ``most``."""
        side = cls()
        for held, role in zip(cell.held, roles(cell), strict=True):
            key = role, tuple(sorted(held.dims))
            if key in side.free or len(side.free) < most:
                side.free[key].append(held)
        return side

    def left(self) -> list[Held]:
        """Those that are free."""
        return [held for group in self.free.values() for held in group]

    def take(self, held: Held) -> None:
        """Have one be free no longer."""
        for group in self.free.values():
            if held in group:
                group.remove(held)
