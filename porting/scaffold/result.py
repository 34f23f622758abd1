"""What ``porting new`` did: the files, what runs already, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from porting.nearest import Candidate, conclusion
from porting.parts import Part, as_json
from porting.results import Result
from porting.text import show


@dataclass(frozen=True, repr=False)
class Scaffold(Result):
    """A new working folder.

    Attributes:
        name: of the model.
        folder: that was written; None where only a look was asked for.
        files: in it.
        done: what was found out and runs, in sentences.
        troubles: what was tried and did not work, in sentences.
        parts: what a person has to write, each with its file.
        nearest: the nearest architectures that there are, with their evidence.
        advice: what to know before anything else, in sentences.
        verdict: of ``porting verify`` on it, or an empty text where it did not come to one.
        next: the commands that come next.
    """

    renderer: ClassVar[str] = "porting.report.scaffold:render_scaffold"

    name: str
    folder: Path | None
    files: tuple[Path, ...] = ()
    done: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    parts: tuple[tuple[Path, Part], ...] = ()
    nearest: Sequence[Candidate] = ()
    advice: tuple[str, ...] = ()
    verdict: str = ""
    next: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Always: what cannot be written is an error."""
        return True

    def summary(self) -> str:
        """Where it is, and how far it is."""
        if self.folder is None:
            return conclusion(self.nearest)
        left = f"{len(self.parts)} part{'s' if len(self.parts) != 1 else ''}"
        verified = f"porting verify says {self.verdict}" if self.verdict else "not verified yet"
        return f"wrote {show(self.folder)}: {len(self.files)} files, {verified}, {left} left to you"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting new --json``."""
        return {
            "schema": 1,
            "name": self.name,
            "folder": None if self.folder is None else str(self.folder),
            "files": [str(path) for path in self.files],
            "done": list(self.done),
            "troubles": list(self.troubles),
            "parts_left": [as_json(*each) for each in self.parts],
            "nearest": [each.to_dict() for each in self.nearest],
            "advice": list(self.advice),
            "verdict": self.verdict or None,
            "next": list(self.next),
        }
