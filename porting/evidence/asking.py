"""What a piece of work asks for: names, noted by whoever gives what they stand for.

A topic is a kind and a name: ``function ported`` (a function of the portfile), ``constant TOLERANCE``; ``files
ported``, the files that were read while ``ported()`` ran, ``settings ported``, the config files among these, and
``code ported``, the code of what it returned; ``headers checkpoint``, the names, shapes and dtypes in the checkpoint;
``trace``, the recorded original. ``path /a/b`` is any other file, ``folder /a`` and ``folder /a/*.py`` are which files
there are, ``version torch`` is the version of a package, ``evidence 14`` says how the claims of other steps than 14
ended, and ``until 2026-01-31 12:00 UTC`` until when the claim holds by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

_listening: list[set[str]] = []


def note(*topics: str) -> None:
    """Tell everybody who listens what was asked for."""
    for heard in _listening:
        heard.update(topics)


@contextlib.contextmanager
def listening(*, alone: bool = False) -> Iterator[set[str]]:
    """Hear what is asked for meanwhile, in whichever thread.

    Args:
        alone: whether those who listen already hear nothing of it.
    """
    heard: set[str] = set()
    before = _listening[:]
    _listening[:] = [heard] if alone else [*before, heard]
    try:
        yield heard
    finally:
        _listening[:] = before


class Asked(dict[str, Any]):
    """What a portfile defines of a kind; each name that is looked up is noted, also one that is not there.

    Args:
        kind: ``function`` or ``constant``.
        defined: by name.
    """

    def __init__(self, kind: str, defined: Mapping[str, Any]) -> None:
        super().__init__(defined)
        self._kind = kind

    def __contains__(self, name: object) -> bool:
        note(f"{self._kind} {name}")
        return super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        note(f"{self._kind} {name}")
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or a default."""
        note(f"{self._kind} {name}")
        return super().get(name, default)
