"""Both tokenizers in the terminal: the checks, the categories in which texts differ, the shortest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from porting.report.checks import render_checks
from porting.report.tables import FigureTable
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from porting.checks.running.tokenizer_report import TokenizerReport
    from porting.tokenizers import Difference, TokenizerParity

MOST_TEXTS = 12


def render_tokenizers(report: TokenizerReport) -> RenderableType:
    """The ids first, then the checks with the verdict and what to do next."""
    above = [render_parity(report.parity), Text()] if report.parity is not None else []
    return Group(*above, render_checks(report.checks))


def render_parity(parity: TokenizerParity) -> RenderableType:
    """The categories with a difference, some texts that differ, the remarks and the summary."""
    parts: list[RenderableType] = []
    if not parity.ok:
        parts += [_categories(parity), Text(), _texts(parity), Text()]
    remarks = [Text(f"note: {remark}", style="dim") for remark in _remarks(parity)]
    return Group(*parts, *remarks, Text(parity.summary(), style="bold green" if parity.ok else "bold red"))


def _categories(parity: TokenizerParity) -> RenderableType:
    rows = [
        (Text(show(name)), Text(str(count["different"]), style="red"), Text(str(count["equal"])))
        for name, count in parity.counts.items()
        if count["different"]
    ]
    return FigureTable(("texts", "different", "equal"), rows, (), ("different", "equal"))


def _texts(parity: TokenizerParity) -> RenderableType:
    shown = list({each.text: each for each in (*parity.smallest, *parity.differences)}.values())[:MOST_TEXTS]
    rows = [(_text(each), Text(each.stage), _pieces(each.original), _pieces(each.ported)) for each in shown]
    return FigureTable(("text", "stage", "original", "ported"), rows, (), ())


def _text(difference: Difference) -> Text:
    return Text(show(ascii(difference.text), 60))


def _pieces(pieces: tuple[str, ...]) -> Text:
    return Text(show(" ".join(pieces), 60) or "-")


def _remarks(parity: TokenizerParity) -> Iterator[str]:
    for reason, count in parity.skipped.items():
        yield f"{count} texts were left out: {show(reason)}"
    noted: dict[str, int] = {}
    for each in parity.noted:
        noted[each.reason] = noted.get(each.reason, 0) + 1
    for reason in noted:
        yield f"texts differ that do not count: {show(reason)}"
    if not parity.special:
        yield f"the original adds no special tokens to a text; the port's own were left out ({parity.added[1]})"
