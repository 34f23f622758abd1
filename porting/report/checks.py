"""The results of checks in the terminal: a row for each, then each failure with its remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from porting.report.detail import next_line, typed
from porting.report.figures import digits
from porting.report.tables import FigureTable
from porting.text import show, show_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from porting.checks import Check, CheckReport, CheckResult
    from porting.checks.shared.outcomes import Figure

STYLES = {
    "passed": "green",
    "failed": "bold red",
    "error": "bold red",
    "inconclusive": "yellow",
    "expected failure": "cyan",
    "skipped": "dim",
}
MOST_FIGURES = 3
"""Of a check, in its row."""
MOST_NAMES = 5
"""Of checks that failed alike."""


def render_checks(report: CheckReport) -> RenderableType:
    """The table, the failures in full, the counts and what to do next."""
    rows = [_row(results) for results in _together(report.results)]
    table = FigureTable(("step", "status", "check", ""), rows, ("step",), ())
    failures = [_failure(results) for results in _alike(report.failures)]
    verdict = Text(report.summary(), style="bold green" if report.ok else "bold red")
    warnings = [Text(f"Warning: {show_lines(text)}  [{code}]", style="yellow") for code, text in report.warnings]
    return Group(table, *failures, Text(), *warnings, verdict, next_line(_next(report)))


def render_listing(checks: Sequence[Check]) -> RenderableType:
    """One row for each check: its step of the recipe, its name and its claim."""
    rows = [(Text(str(check.step)), Text(check.name), Text(check.claim)) for check in checks]
    return FigureTable(("step", "check", "claim"), rows, ("step",), ())


def _together(results: Sequence[CheckResult]) -> list[list[CheckResult]]:
    """Neighbours of one step that did not pass for the same reason share a row."""
    rows: list[list[CheckResult]] = []
    for result in results:
        before = rows[-1][0] if rows else None
        alike = before and (before.step, before.status, before.message) == (result.step, result.status, result.message)
        if alike and result.message:
            rows[-1].append(result)
        else:
            rows.append([result])
    return rows


def _row(results: Sequence[CheckResult]) -> tuple[Text, ...]:
    first = results[0]
    reason = show(first.message.partition("\n")[0], 300)
    return (
        Text(str(first.step)),
        Text(first.status, style=STYLES[first.status], no_wrap=True),
        Text("\n".join(result.name for result in results)),
        Text(reason or ", ".join(_figures(first)), style="dim" if first.ok else ""),
    )


def _figures(result: CheckResult) -> Iterator[str]:
    known = [(name, value) for name, value in result.figures.items() if value is not None]
    for name, value in known[:MOST_FIGURES]:
        yield f"{show(name, 40).replace('_', ' ')} {_figure(value)}"


def _figure(value: Figure) -> str:
    return digits(value) if isinstance(value, float) else show(value, 40)


def _alike(failures: Iterable[CheckResult]) -> list[list[CheckResult]]:
    """Failures that say the same belong together, as when a model cannot be built."""
    found: dict[str, list[CheckResult]] = {}
    for result in failures:
        found.setdefault(result.failure_message(), []).append(result)
    return list(found.values())


def _failure(results: Sequence[CheckResult]) -> Text:
    first = results[0]
    names = ", ".join(result.name for result in results[:MOST_NAMES])
    more = f" and {len(results) - MOST_NAMES} more" if len(results) > MOST_NAMES else ""
    claim = f"  {first.claim}" if len(results) == 1 else ""
    return Text.assemble((f"\n{names}{more}", STYLES[first.status]), (claim, "dim"), f"\n{first.failure_message()}")


def _next(report: CheckReport) -> str:
    if report.first is not None:
        return report.first.hint or f"mend it, then: {typed(f'check {report.first.name}')}"
    if not report.ok:
        return "give the portfile what the checks ask for (the reasons are above)"
    return f"{typed('checklist')}  (what is done by now, and what comes next)"
