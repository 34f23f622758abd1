"""How long work reports that it goes on: a callback that the command line turns into a bar."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts are done and about how many there are."""


def silent(text: str, done: int, total: int) -> None:
    """Report nothing: the default of the library."""
