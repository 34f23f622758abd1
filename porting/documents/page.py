"""The page of a model in Transformers' documentation."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from porting.documents.examples import Example
from porting.documents.markdown import Harmless, render
from porting.documents.port import Port
from porting.documents.reading import read_document

TEMPLATE = "doc_page.md.jinja"


def page_path(port: Port) -> Path:
    """Where the page belongs: in the checkout of Transformers, else in ``docs/`` of the working folder."""
    if port.checkout is not None:
        return port.checkout.doc_page(port.name)
    return port.portfile.folder / "docs" / f"{port.name}.md"


def found_page(port: Port) -> Path:
    """The page that documents the port: its own, else one of the checkout that it shares with models akin to it."""
    own = page_path(port)
    if own.exists() or port.checkout is None:
        return own
    entry = re.compile(rf"^\[\[autodoc\]\] +(?:[\w.]+\.)?{re.escape(port.kind.__name__)}\s*$", re.MULTILINE)
    pages = (path for path in sorted(port.checkout.pages.glob("*.md")) if path.name != "auto.md")
    return next((path for path in pages if entry.search(read_document(path) or "")), own)


def page_text(port: Port, example: Example) -> str:
    """The page, in the form of Transformers' own.

    Raises:
        GenerationError: a name cannot be written down.
    """
    today = datetime.now(UTC).date()
    module = sys.modules[port.kind.__module__]
    models = [name for name in port.documented if hasattr(getattr(module, name, None), "forward")]
    return render(
        TEMPLATE,
        year=today.year,
        today=today.isoformat(),
        title=port.title,
        example=Harmless(example.code),
        lacking=example.fault,
        documented=[(name, name in models) for name in port.documented],
    )
