"""The terminal rendering of a `WeightsReport`: one row per finding, equal layers folded, then the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from porting.report.detail import in_full, next_line, typed
from porting.text import show
from porting.weights.report import FAILING, detail, folded

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.weights.contents import Contents
    from porting.weights.report import WeightsReport

MOST_ROWS = 200
"""Of a list of tensors, unless all are asked for."""
STYLES = {**dict.fromkeys(FAILING, "red"), "UNEXPECTED": "yellow", "DTYPE": "cyan", "TIED": "dim"}


def render_weights(report: WeightsReport) -> RenderableType:
    """The table of findings (none if all is plain), the remarks, the verdict and the next command."""
    remarks = [Text(f"note: {remark.message}", style="dim") for remark in report.warnings]
    table = [_table(report)] if report.findings else []
    verdict = Text(report.summary(), style="bold green" if report.ok else "bold red")
    return Group(*table, *remarks, verdict, next_line(_next(report), style="dim"))


def render_contents(contents: Contents) -> RenderableType:
    """The table of tensors, the remarks, the counts and the next command."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "dtype", "shape"):
        table.add_column(column, overflow="fold", no_wrap=column != "name")
    rows = contents.rows()
    for name, spec in rows if in_full() else rows[:MOST_ROWS]:
        table.add_row(Text(show(name)), Text(show(spec.dtype)), Text(str(list(spec.shape))))
    more = len(rows) - table.row_count
    hidden = [Text(f"… and {more:,} more rows (--json has all)", style="dim")] if more else []
    remarks = [Text(f"note: {remark.message}", style="dim") for remark in contents.remarks]
    following = "write a portfile with config() and ported_class() to hold this against a port"
    return Group(table, *hidden, *remarks, Text(contents.summary(), style="bold"), next_line(following, style="dim"))


def _table(report: WeightsReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("status", "name", "checkpoint", "model"):
        table.add_column(column, overflow="fold", no_wrap=column != "name")
    for finding, name in folded(report.findings):
        said = detail(finding)
        table.add_row(
            Text(finding.status, style=STYLES[finding.status]),
            Text.assemble(show(name), (f"\n  {said}" if said else "", "dim")),
            Text(str(finding.checkpoint or "-")),
            Text(str(finding.model or "-")),
        )
    return table


def _next(report: WeightsReport) -> str:
    if report.ok:
        return typed("verify") if report.values else f"{typed('weights --audit')}  (compares the port's values, too)"
    if not report.matched:
        return f"{typed('weights --infer')}  (proposes the portfile's rules(), if this is the model's checkpoint)"
    if {finding.status for finding in report.failures()} <= {"UNUSED", "UNEXPECTED"}:
        return 'rename what is left over in rules(), or leave it out by name and reason: Drop("…", "…")'
    if {finding.status for finding in report.failures()} <= {"MISSING"} and not report.values:
        return f"make what is missing with a rule ({typed('weights --infer')} proposes some), then: {typed('weights')}"
    if {finding.cause for finding in report.failures()} == {"buffer-wrong"}:
        return f"compute it in _init_weights, or wherever the port computes it, then: {typed('weights --audit')}"
    if report.values:
        return f"correct the code that loads, or the rules, then: {typed('weights --audit')}"
    return f"correct the model, or the portfile's rules(), then: {typed('weights')}"
