"""The terminal rendering of a `Conversion`: what is done, in words, then the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from porting.folding import fold
from porting.report.detail import in_full, next_line, typed
from porting.text import show, size_words
from porting.weights.conversion.words import KEPT, Line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.weights.conversion import Conversion

MOST_LINES = 40
"""Of the steps, unless all are asked for."""


def render_conversion(conversion: Conversion) -> RenderableType:
    """The steps, where they are what is asked for; what is wrong; the remarks, the verdict and the next command."""
    parts: list[RenderableType] = []
    if conversion.dry_run:
        parts += [_steps(conversion.steps), *_left_out(conversion)]
    reports = (conversion.weights, conversion.audit)
    parts += [report.__rich__() for report in reports if report is not None and not report.ok]
    parts += [Text(f"note: {remark.message}", style="dim") for remark in conversion.weights.warnings]
    parts += [Text(remark.message, style="red") for remark in conversion.problems]
    parts.append(Text(conversion.summary(), style="bold green" if conversion.ok else "bold red"))
    return Group(*parts, *([next_line(_next(conversion), style="dim")] if conversion.ok else []))


def _steps(lines: Sequence[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("to write, and from what", overflow="fold")
    table.add_column("change", overflow="fold")
    table.add_column("tensors", justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    cells = lines if in_full() else lines[:MOST_LINES]
    for line in cells:
        source = "" if line.change == KEPT else f"\n  {show(line.sources)}"
        size = size_words(line.bytes) if line.tensors else "tied"
        name = Text.assemble(show(line.targets), (source, "dim"))
        table.add_row(name, Text(show(line.change)), f"{line.tensors:,}", size)
    if len(cells) < len(lines):
        table.add_row(Text(f"… and {len(lines) - len(cells):,} more lines (--json has all)", style="dim"))
    return table


def _left_out(conversion: Conversion) -> Iterator[Text]:
    for row in fold(list(conversion.tied)):
        kept = conversion.tied[list(conversion.tied)[row.members[0]]]
        yield Text(f"tied: {show(row.name)} is not written, {show(kept)} stands for it", style="dim")


def _next(conversion: Conversion) -> str:
    return f"the same without --dry-run writes {show(conversion.folder)}" if conversion.dry_run else typed("verify")
