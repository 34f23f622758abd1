"""What is wrong with a manifest, each problem with its place in words: the first is raised, or all are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from porting.errors import TraceError
from porting.text import show
from porting.trace.fields import Fields, faults, near, unknown

T = TypeVar("T")
MOST_NAMED = 20
MOST_COLLECTED = 1000
MOST_GUESSES = 5
"""Problems that are given a guess at what was meant, which takes time where there are many names."""


class Unreadable(Exception):  # noqa: N818 - not an error: the problem has been noted
    """An entry has problems, all of them noted, and cannot be read."""


class Enough(Exception):  # noqa: N818 - not an error: the problems have been noted
    """So many problems are collected that more of them would help nobody."""


class Problems:
    """Where the reader is, and what it finds wrong.

    Args:
        manifest: the file.
        collect: note every problem and pass over what cannot be read; otherwise the first problem is raised.
    """

    def __init__(self, manifest: Path, *, collect: bool = False) -> None:
        self.manifest = manifest
        self.collect = collect
        self.found: list[str] = []
        self._places: list[str | Callable[[], str]] = []

    def where(self) -> str:
        """The place that is being read, in words: ``call 3 (encoder.layer.0), outputs, leaf 1``."""
        return ", ".join(place if isinstance(place, str) else place() for place in self._places)

    @property
    def guesses(self) -> bool:
        """Whether the next problem is given a guess at what was meant."""
        return len(self.found) < MOST_GUESSES

    def near(self, name: str, names: Iterable[str]) -> str:
        """A question after the name that was meant, or nothing."""
        return near(name, names if self.guesses else ())

    def say(self, text: str, *, hint: str = "") -> None:
        """Note a problem of the place that is being read.

        Raises:
            TraceError: problems are not collected.
            Enough: they are, and this is the last one that is.
        """
        where = self.where()
        text = f"{where}: {text}" if where else text
        if self.collect:
            self.found.append(text)
            if len(self.found) == MOST_COLLECTED:
                raise Enough
            return
        advice = f"what is wrong, all of it: porting capture --validate {show(self.manifest.parent)}"
        raise TraceError(f"{show(self.manifest)} is not a valid manifest: {text}", hint=hint or advice)

    def at(self, place: str | Callable[[], str]) -> _Place:
        """Read what has a place of its own; what cannot be read there is passed over."""
        return _Place(self._places, place)

    def each(self, entries: Iterable[Any], place: Callable[[int, Any], str], read: Callable[[int, Any], T]) -> list[T]:
        """Read entries, passing over those that cannot be read.

        Args:
            entries: of a list of the manifest.
            place: what to call an entry, given its number and itself.
            read: given the same, its record.
        """
        found: list[T] = []
        for number, entry in enumerate(entries):
            with self.at(partial(place, number, entry)):
                found.append(read(number, entry))
        return found

    def note_faults(self, entry: Any, fields: Fields) -> bool:
        """Note what an object lacks or has wrong, and its unknown keys if all problems are asked for.

        Returns:
            Whether every field is as it must be.
        """
        wrong = list(faults(entry, fields, guess=self.guesses))
        extra = unknown(entry, fields, guess=self.guesses) if self.collect and isinstance(entry, dict) else ()
        for text in chain(wrong, extra):
            self.say(text)
        return not wrong

    def require(self, entry: Any, fields: Fields) -> None:
        """Note what an object lacks or has wrong.

        Raises:
            Unreadable: problems are collected, and there is one.
            TraceError: they are not.
        """
        if not self.note_faults(entry, fields):
            raise Unreadable

    def error(self, folder: Path) -> TraceError:
        """All that was found as one error."""
        count = len(self.found)
        listed = [f"  {text}" for text in self.found[:MOST_NAMED]]
        if count > MOST_NAMED:
            listed.append(f"  … and {count - MOST_NAMED:,} more")
        kind = "problem" if count == 1 else "problems"
        least = "at least " if count == MOST_COLLECTED else ""
        return TraceError(
            "\n".join([f"{show(folder)} is not a valid trace, it has {least}{count:,} {kind}:", *listed]),
            hint="the format is described in docs/trace-format.md and docs/trace.schema.json",
            problems=self.found,
        )


class _Place:
    """While it is entered, problems are named by it."""

    def __init__(self, places: list[str | Callable[[], str]], place: str | Callable[[], str]) -> None:
        self._places = places
        self._place = place

    def __enter__(self) -> None:
        self._places.append(self._place)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._places.pop()
        return kind is not None and issubclass(kind, Unreadable)
