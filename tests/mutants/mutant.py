"""A mutant: one realistic porting bug, put into the port of one pair at a known module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

Apply = Callable[[nn.Module, str], None]
MUTANTS: list[Mutant] = []


@dataclass(frozen=True)
class Mutant:
    """One bug in one pair.

    Attributes:
        name: ``kind.bug``, the file and the function that seed it.
        pair: name of the pair.
        path: the module of the port that is wrong, ``""`` for the model itself.
        also: other modules whose blame is right, as the one whose input a functional part of ``path`` computes.
        codes: the causes that explain it.
        apply: puts it into the module at a path of a model.
    """

    name: str
    pair: str
    path: str
    also: tuple[str, ...]
    codes: tuple[str, ...]
    apply: Apply

    @property
    def kind(self) -> str:
        """The family of the bug."""
        return self.name.split(".")[0]

    def put_into(self, ported: nn.Module) -> None:
        """Make the port wrong."""
        self.apply(ported, self.path)


def mutant(*codes: str, **places: str | tuple[str, ...]) -> Callable[[Apply], Apply]:
    """Register a bug: its cause codes, and for each pair the wrong module, then other modules that may be blamed."""

    def register(apply: Apply) -> Apply:
        name = f"{apply.__module__.rsplit('.', 1)[-1]}.{apply.__name__}"
        for pair, place in places.items():
            path, *also = (place,) if isinstance(place, str) else place
            MUTANTS.append(Mutant(name, pair, path, tuple(also), codes, apply))
        return apply

    return register
