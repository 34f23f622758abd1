"""The checklist in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from porting.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.checklist import CheckedClaim, CheckedStep, Checklist, Next
    from porting.evidence import Figure

STYLES = {
    "done": "bold green",
    "passed": "green",
    "partly": "green",
    "failed": "bold red",
    "stale": "yellow",
    "inconclusive": "yellow",
    "to do": "cyan",
    "by hand": "dim",
}
BOXES = {"done": "[x]", "partly": "[-]", "failed": "[!]"}


def render_checklist(checklist: Checklist) -> RenderableType:
    """One row for each step, with what was verified and its figures; then what to do next."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("step", overflow="fold", min_width=24)
    table.add_column("state", no_wrap=True)
    table.add_column("what a program found", overflow="fold")
    for step in checklist.steps:
        table.add_row(
            Text(BOXES.get(step.state, "[ ]")),
            Text(str(step.step.number)),
            Text.assemble(step.step.title, (" (optional)" if step.step.optional else "", "dim")),
            Text(step.state, style=STYLES[step.state]),
            _found(step),
        )
    return Group(table, Text(checklist.summary(), style="bold"), Text(_next(checklist.next)))


def _next(following: Next) -> str:
    what = f"step {following.step}, {following.text}"
    return f"Next: {show(following.command)}  ({what})" if following.command else f"Next, by hand: {what}"


def _found(step: CheckedStep) -> Text:
    lines = [_line(claim) for claim in step.claims]
    if step.state == "partly":
        lines.append(Text(f"left to you: {step.step.left}", style="dim"))
    return Text("\n").join(lines)


def _line(claim: CheckedClaim) -> Text:
    figures = ", ".join(f"{show(name, 40)} {_figure(value)}" for name, value in claim.figures.items())
    return Text.assemble(
        (claim.state, STYLES[claim.state]),
        f": {claim.claim.text}",
        (f" ({figures})" if figures else "", "dim"),
    )


def _figure(value: Figure) -> str:
    return f"{value:.2g}" if isinstance(value, float) else "-" if value is None else show(value, 60)
