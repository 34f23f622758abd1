"""The terminal rendering of an `Inference`: the rules by confidence, what stays open, and Python to paste."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from porting.folding import fold
from porting.report.detail import next_line, typed
from porting.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.weights.inference.result import Inference, Proposed

STYLES = {"certain": "green", "likely": "yellow", "guess": "red"}
SHOWN = 20
"""How many missing tensors are named."""


def render_inference(inference: Inference) -> RenderableType:
    """The table of rules, what stays open, the Python, the verdict and the next command."""
    return Group(
        _table(inference.proposed),
        *_missing(inference.missing),
        *_code(inference),
        Text(inference.summary(), style="bold green" if inference.ok else "bold yellow"),
        next_line(_next(inference), style="dim"),
    )


def _table(proposed: Iterable[Proposed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("confidence", "tensors", "rule, and what it stands on"):
        table.add_column(column, overflow="fold", no_wrap=column != "rule, and what it stands on")
    for each in proposed:
        word = f"{each.confidence} {each.score:.2f}"
        table.add_row(
            Text(word + (" ✓" if each.verified else ""), style=STYLES[each.confidence]),
            Text(str(len(each.targets)), justify="right"),
            Text.assemble(_rule(each), ("\n  " + "; ".join(map(show, each.evidence)), "dim")),
        )
    return table


def _rule(each: Proposed) -> str:
    return f"kept: {each.text}" if each.rule is None else show(str(each.rule), 1000)


def _missing(names: tuple[str, ...]) -> list[Text]:
    rows = fold(names)
    more = [f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    listed = [*(show(row.name) for row in rows[:SHOWN]), *more]
    return [Text(f"made by nothing: {', '.join(listed)}", style="red")] if names else []


def _code(inference: Inference) -> list[Text]:
    """The Python as it is, whatever the width: a line that is wrapped is other code, and may be a checkpoint's."""
    return [Text("\n" + inference.python(), no_wrap=True, overflow="ignore")] if inference.rules else []


def _next(inference: Inference) -> str:
    if inference.missing:
        return "find what makes the tensors that nothing makes, and add a rule for each to the portfile"
    if inference.verification is None and inference.ambiguous:
        return "paste the rules into the portfile; with original() and inputs() there, --infer settles what is open"
    return f"paste the rules into the portfile, then {typed('weights')}"
