"""What several claims share, made once, and what each of them speaks of by it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from porting.errors import PortingError
from porting.evidence.asking import listening, note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

Made = TypeVar("Made")


class Shared:
    """Things by name, made when somebody first asks for them.

    What cannot be made is not tried again: the same error is raised for everybody who needs it.
    """

    def __init__(self) -> None:
        """Nothing is made yet."""
        self._made: dict[str, Any] = {}
        self._asked: dict[str, set[str]] = {}

    def shared(self, name: str, make: Callable[[], Made]) -> Made:
        """What several checks need, made when the first of them asks for it.

        What the making asked for is noted for each of them.

        Args:
            name: under which it is kept.
            make: makes it; a PortingError that it raises is kept, too.
        """
        if name not in self._made:
            with listening() as self._asked[name]:
                try:
                    self._made[name] = make()
                except PortingError as error:
                    self._made[name] = error
        note(*self._asked[name])
        made: Made | PortingError = self._made[name]
        if isinstance(made, PortingError):
            raise made
        return made

    def hand(self, name: str, made: Any, asked: Iterable[str]) -> None:
        """Give what was made elsewhere, under the name that `shared` keeps it by.

        Args:
            name: of it.
            made: it.
            asked: for what its making asked.
        """
        self._made[name], self._asked[name] = made, set(asked)

    def handed(self, name: str) -> Any:
        """What was handed over; None if nothing was."""
        return self.shared(name, lambda: None)

    def made(self, name: str) -> Any:
        """What was made under a name so far; None if it was not, or could not be."""
        made = self._made.get(name)
        return None if isinstance(made, PortingError) else made


def without(kind: str, instead: str | None = None) -> AbstractContextManager[None]:
    """Note topics of a kind as those of another, or not at all."""

    def told(asked: set[str]) -> set[str]:
        others = {topic for topic in asked if not topic.startswith(kind)}
        return others if instead is None else others | {topic.replace(kind, instead, 1) for topic in asked - others}

    return noting(told)


@contextlib.contextmanager
def noting(told: Callable[[set[str]], set[str]]) -> Iterator[None]:
    """Note something else than what is asked for meanwhile."""
    asked: set[str] = set()
    try:
        with listening(alone=True) as asked:
            yield
    finally:
        note(*told(asked))
