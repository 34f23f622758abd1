"""What differs between two traces, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from porting.report.detail import in_full
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from porting.trace.changes import Change
    from porting.trace.difference import TraceDifference

MOST_CHANGES = 20


def render_difference(difference: TraceDifference) -> RenderableType:
    """A table per section in which something differs, then the verdict."""
    tables = [_table(name, changes) for name, changes in difference.sections.items() if changes]
    style = "bold green" if difference.ok else "bold red"
    return Group(*tables, Text(difference.summary(), style=style))


def _table(name: str, changes: Sequence[Change]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in (name, "what", "one", "other"):
        table.add_column(heading, overflow="fold")
    shown = changes if in_full() else changes[:MOST_CHANGES]
    for change in shown:
        cells = (change.place or "(model)", change.what, _words(change.one), _words(change.other))
        table.add_row(*(Text(show(cell)) for cell in cells))
    if len(shown) < len(changes):
        table.add_row(Text(f"… {len(changes) - len(shown):,} more (--full)", style="dim"))
    return table


def _words(value: object) -> str:
    return "-" if value is None else str(value)
