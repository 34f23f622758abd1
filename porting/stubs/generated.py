"""What was generated."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from porting.parts import Part, as_json, parts_of
from porting.results import Result
from porting.text import show


@dataclass(frozen=True, repr=False)
class GeneratedTests(Result):
    """The tests of a verified port.

    Attributes:
        files: the text of every file, by its path; the one of the outputs is the first.
        test_class: the class in that file.
        outputs: names of the outputs that it looks at.
        atol: its absolute tolerance.
        rtol: its relative tolerance.
        left: what a person has still to do, in sentences.
        skipped: what has no test and why, in sentences.
        dry_run: whether the files are only shown.
        slow: whether the tests run only where slow ones are asked for.
    """

    renderer: ClassVar[str] = "porting.report.files:render_generated"

    files: dict[Path, str | bytes]
    test_class: str
    outputs: tuple[str, ...]
    atol: float
    rtol: float
    left: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    dry_run: bool = False
    slow: bool = True

    @property
    def path(self) -> Path:
        """The file of the outputs' test."""
        return next(iter(self.files))

    @property
    def tests(self) -> list[Path]:
        """The test files."""
        return [path for path in self.files if path.name.startswith("test_")]

    @property
    def parts(self) -> tuple[tuple[Path, Part], ...]:
        """What is left in the files to a person, with the file."""
        return tuple(parts_of(self.files))

    @property
    def ok(self) -> bool:
        """Always: a test that cannot be written is an error."""
        return True

    @property
    def command(self) -> str:
        """How to run the tests."""
        paths = " ".join(shlex.quote(os.path.relpath(path)) for path in self.tests)
        return f"{'RUN_SLOW=1 ' if self.slow else ''}python -m pytest {paths}"

    def summary(self) -> str:
        """The file, and what it looks at."""
        names = ", ".join(show(name, 40) for name in self.outputs)
        verb = "would write" if self.dry_run else "wrote"
        return f"{verb} {show(os.path.relpath(self.path))}: {names} within {self.atol:g} of the original's values"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting tests --json``; of a dry run with the texts of the files."""
        texts = {str(path): text for path, text in self.files.items() if isinstance(text, str)}
        return {
            "schema": 1,
            "path": str(self.path),
            "files": [str(path) for path in self.files],
            "class": self.test_class,
            "outputs": list(self.outputs),
            "tolerance": {"atol": self.atol, "rtol": self.rtol},
            "left": list(self.left),
            "parts_left": [as_json(*each) for each in self.parts],
            "skipped": list(self.skipped),
            "dry_run": self.dry_run,
            **({"texts": texts} if self.dry_run else {}),
            "next": self.command,
        }
