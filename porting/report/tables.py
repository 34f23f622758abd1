"""Tables of figures that fit their terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

NARROW = 110
"""Columns of a terminal below which the columns that can be spared are left out."""


class FigureTable:
    """A table whose figures are never broken or cut; in a narrow terminal it has fewer columns.

    Args:
        columns: their headings.
        rows: a text for each column.
        figures: headings of the columns that hold figures, aligned to the right.
        spare: headings of the columns that a narrow terminal does without.
    """

    def __init__(
        self, columns: Sequence[str], rows: Sequence[Sequence[Text]], figures: Collection[str], spare: Collection[str]
    ) -> None:
        self.columns = columns
        self.rows = rows
        self.figures = figures
        self.spare = spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table for this terminal."""
        wide = options.max_width >= NARROW
        kept = [number for number, name in enumerate(self.columns) if wide or name not in self.spare]
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for number in kept:
            name = self.columns[number]
            figure = name in self.figures
            table.add_column(name, justify="right" if figure else "left", no_wrap=figure, overflow="fold")
        for row in self.rows:
            table.add_row(*(row[number] for number in kept))
        yield table
