"""Documents that were written, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from porting.report.detail import next_line
from porting.text import show, show_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.documents import Document, Documents

STYLES = {"new": "green", "changed": "green", "as it was": "dim"}


def render_documents(documents: Documents) -> RenderableType:
    """Each file with what is left in it, by line; then what to do next."""
    parts = [Text(documents.summary(), style="bold green" if documents.ok else "bold red")]
    for document in documents.documents:
        parts += _lines(document)
        if documents.dry_run and document.what != "toctree":
            parts.append(Text(show_lines(document.text)))
    parts += [Text(f"Not written: {show(text, 300)}", style="dim") for text in documents.skipped]
    return Group(*parts, *(next_line(show_lines(command)) for command in documents.commands))


def _lines(document: Document) -> list[Text]:
    lines = [Text(f"{document.what} {document.shown}: {document.state}", style=STYLES[document.state])]
    if document.fault:
        lines.append(Text(f"  its example does not run: {show(document.fault, 400)}", style="red"))
    at = f"  {document.shown}"
    lines += [Text(f"{at}:{each.line} {show(each.message, 300)}", style="yellow") for each in document.conflicts]
    return [*lines, *(Text(f"{at}:{part.line} you: {show(part.what, 300)}") for part in document.parts)]
