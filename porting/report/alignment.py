"""An alignment in the terminal: every pair with what it stands on, and what has no counterpart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from porting.report.tables import FigureTable
from porting.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.alignment import Alignment
    from porting.alignment import Group as Pair

DOUBTFUL = 0.5
"""Confidence below which a pair is shown in colour."""
WIDEST = 400


def render_alignment(alignment: Alignment) -> Iterable[RenderableType]:
    """The pairs in the port's order of execution, then the modules of either side that have no counterpart."""
    columns = ("original", "ported", "sure", "evidence", "layout")
    yield Text("Which module is which", style="bold")
    yield FigureTable(columns, [_row(group) for group in alignment.groups], figures=("sure",), spare=())
    for side, paths in (("original", alignment.unmatched_original), ("ported", alignment.unmatched_ported)):
        names = ", ".join(show(path) for path in paths) or "none"
        yield Text(f"{side} modules without a counterpart: {names}")
    yield Text("Overrule a pair with MODULE_MAP in the portfile.\n")


def _row(group: Pair) -> tuple[Text, ...]:
    style = "yellow" if group.confidence < DOUBTFUL else ""
    layout = group.layout or ""
    return (
        Text(_names(group.original), style=style),
        Text(_names(group.ported), style=style),
        Text(f"{group.confidence:.2f}", style=style),
        Text(show(group.evidence, WIDEST) + ("" if group.compared else " (results not compared)")),
        Text(show(layout, WIDEST) if layout else ""),
    )


def _names(paths: tuple[str, ...]) -> str:
    return " + ".join(show(path) or "(the model itself)" for path in paths)
