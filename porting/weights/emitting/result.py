"""Files that were written from rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from porting.parts import Part, as_json
from porting.results import Result
from porting.text import show

MARKER = "# Written by `porting convert --emit`, which may replace it."
"""The line by which a file is known to be generated, and may be replaced."""


@dataclass(frozen=True, repr=False)
class Emitted(Result):
    """Files with the rules as code.

    Attributes:
        paths: the files.
        form: ``"script"`` or ``"mapping"``.
        rules: how many rules they hold.
        left: what a person has still to do, in sentences.
        command: how to run or test them.
        parts: what is left in the files to a person, with the file.
    """

    renderer: ClassVar[str] = "porting.report.files:render_emitted"

    paths: tuple[Path, ...]
    form: str
    rules: int
    left: tuple[str, ...]
    command: str
    parts: tuple[tuple[Path, Part], ...] = ()

    @property
    def ok(self) -> bool:
        """Always: rules that cannot be written are an error."""
        return True

    def summary(self) -> str:
        """The files."""
        return f"wrote {self.rules} rules to {', '.join(show(path) for path in self.paths)}"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting convert --emit --json``."""
        return {
            "schema": 1,
            "form": self.form,
            "paths": [str(path) for path in self.paths],
            "rules": self.rules,
            "left": list(self.left),
            "parts_left": [as_json(*each) for each in self.parts],
            "next": self.command,
        }
