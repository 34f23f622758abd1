"""Files that were written from rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from porting.atomic import write_text
from porting.errors import OutputError
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
    """

    renderer: ClassVar[str] = "porting.report.files:render_emitted"

    paths: tuple[Path, ...]
    form: str
    rules: int
    left: tuple[str, ...]
    command: str

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
            "next": self.command,
        }


def write_files(files: dict[Path, str]) -> None:
    """Write files that are not there, or that this wrote.

    Raises:
        OutputError: something else is at one of the paths, or it cannot be written.
    """
    for path in files:
        if path.exists() and (not path.is_file() or MARKER.encode() not in path.read_bytes().splitlines()):
            raise OutputError(
                f"{show(path)} exists and was not written by porting convert --emit, so it is not replaced",
                hint="name another folder with --emit-to",
            )
    for path, content in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make the folder {show(path.parent)}: {error.strerror}", hint="name another with --emit-to"
            ) from None
        write_text(path, content)
