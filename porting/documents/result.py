"""What became of documents that were to be written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from porting.documents.fences import Conflict
from porting.parts import Part, parts_left
from porting.results import Result
from porting.text import show

State = Literal["new", "changed", "as it was"]
What = Literal["page", "card", "pull-request", "notebook", "toctree"]


@dataclass(frozen=True, slots=True)
class Document:
    """One file.

    Attributes:
        what: it is.
        path: of it.
        text: in it, as it is or would be.
        state: what became of it.
        conflicts: what is not written anew, and why.
        fault: what went wrong when its example ran; empty if it ended well or did not run.
    """

    what: What
    path: Path
    text: str
    state: State
    conflicts: tuple[Conflict, ...] = ()
    fault: str = ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is left in it to a person."""
        return parts_left(self.text)

    @property
    def shown(self) -> str:
        """Its path from here, to be shown."""
        return show(os.path.relpath(self.path), 300)

    def to_dict(self) -> dict[str, Any]:
        """The file as JSON, without its text."""
        return {
            "what": self.what,
            "path": str(self.path),
            "state": self.state,
            "left": [{"line": part.line, "what": part.what} for part in self.parts],
            "conflicts": [{"line": each.line, "message": each.message} for each in self.conflicts],
            "example": self.fault,
        }


@dataclass(frozen=True, repr=False)
class Documents(Result):
    """The documents of a port.

    Attributes:
        documents: those that were written, or would be.
        skipped: what was not asked for by name and does not apply, and why.
        commands: what a person does next, as it is typed.
        dry_run: whether nothing was written.
    """

    renderer: ClassVar[str] = "porting.report.documents:render_documents"

    documents: tuple[Document, ...]
    skipped: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether every example that ran ended well."""
        return not any(document.fault for document in self.documents)

    @property
    def left(self) -> int:
        """How many parts are left to a person."""
        return sum(len(document.parts) for document in self.documents)

    def summary(self) -> str:
        """How many files there are, and how much is left."""
        verb = "would write" if self.dry_run else "wrote"
        count = sum(document.state != "as it was" for document in self.documents)
        faults = [document for document in self.documents if document.fault]
        text = f"{verb} {count} of {len(self.documents)} files; {self.left} parts are left to you"
        return f"the example of {faults[0].shown} does not run; {text}" if faults else text

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting write --json``; of a dry run with the texts of the files."""
        texts = {str(document.path): document.text for document in self.documents}
        return {
            "schema": 1,
            "ok": self.ok,
            "files": [document.to_dict() for document in self.documents],
            "left": self.left,
            "skipped": list(self.skipped),
            "next": list(self.commands),
            "dry_run": self.dry_run,
            **({"texts": texts} if self.dry_run else {}),
        }
