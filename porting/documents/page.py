"""The page of a model in Transformers' documentation."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from porting.documents.examples import Example
from porting.documents.markdown import Harmless, render
from porting.documents.port import Port

TEMPLATE = "doc_page.md.jinja"


def page_path(port: Port) -> Path:
    """Where the page belongs: in the checkout of Transformers, else in ``docs/`` of the working folder."""
    if port.checkout is not None:
        return port.checkout.doc_page(port.name)
    return port.portfile.folder / "docs" / f"{port.name}.md"


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
