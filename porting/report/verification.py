"""Verifications and comparisons in the terminal: outputs, layers, culprits, warnings, verdict, next command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from porting.report.alignment import render_alignment
from porting.report.culprits import culprit_texts
from porting.report.detail import in_full, next_line, typed, with_alignment
from porting.report.figures import figure
from porting.report.further import further_runs, next_after
from porting.report.rows import CULPRIT, INHERITED, UNSEEN, Row, folded, layer_rows
from porting.report.tables import FigureTable
from porting.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.comparison import CallComparison, Comparison, NamedComparison, TensorComparison
    from porting.trace import Trace
    from porting.verification import Verification

STYLES = {
    "match": "bold green",
    "suspicious": "bold yellow",
    "mismatch": "bold red",
    "inconclusive": "bold yellow",
}
ROW_STYLES = {CULPRIT: "bold red", INHERITED: "yellow", UNSEEN: "dim"}


def render_verification(verification: Verification) -> RenderableType:
    """The whole report of a verification."""
    rows = layer_rows(verification)
    judged = len({observation.ported.key for observation in verification.isolation.observations})
    unmatched = len(verification.comparison.alignment.unmatched_ported)
    return Group(
        Text(f"{_model(verification.original)} → {_model(verification.ported)}", style="bold"),
        *(render_alignment(verification.comparison.alignment) if with_alignment() else ()),
        Text(f"{judged} modules judged on the original's own tensors, {unmatched} without a counterpart\n"),
        _outputs(verification.comparison.outputs),
        Text(),
        _layers(rows if in_full() else folded(rows)),
        Text(),
        *culprit_texts(verification.culprits),
        *further_runs(verification),
        *_warnings(verification.warnings),
        _verdict(verification.verdict, _explanation(verification)),
        next_line(_next(verification)),
    )


def render_comparison(comparison: Comparison) -> RenderableType:
    """The whole report of a comparison of two traces."""
    first = comparison.first_divergence
    rows = [_comparison_row(call, call is first) for call in comparison.calls]
    text = comparison.summary().split(": ", 1)[1]
    return Group(
        _outputs(comparison.outputs),
        Text(),
        _layers(rows if in_full() else folded(rows)),
        Text(),
        *_warnings(comparison.warnings),
        _verdict(comparison.verdict, text),
        next_line(f"{typed('verify')}  (judges every module by itself and names the culprit)"),
    )


def _model(trace: Trace) -> str:
    """Class and package of a traced model."""
    name = str(trace.run.get("model", "model"))
    package = name.partition(".")[0]
    return show(f"{name.rpartition('.')[2]} ({package})" if "." in name else name)


def _outputs(outputs: Sequence[NamedComparison]) -> FigureTable:
    columns = ("output", "shape", "max abs", "relative L2", "passes at", "not counted", "")
    rows = [
        (
            Text(show(output.name)),
            Text(str(output.numbers.ported_shape)),
            figure(output.numbers.max_abs),
            figure(output.numbers.relative_l2),
            figure(output.numbers.required),
            Text(f"{output.numbers.masked:,}" if output.numbers.masked else ""),
            Text("ok") if output.numbers.allclose else Text(_differs(output.numbers), style="bold red"),
        )
        for output in outputs
    ]
    return FigureTable(columns, rows, figures=columns[2:6], spare=("shape", "relative L2", "not counted"))


def _differs(numbers: TensorComparison) -> str:
    if not numbers.comparable or numbers.nonfinite or numbers.worst is None:
        return numbers.describe()
    return f"differs most at {numbers.worst}"


def _layers(rows: Sequence[Row]) -> FigureTable:
    columns = ("ported module", "class", "accumulated", "isolated", "times noise", "")
    cells = [
        (
            Text(show(row.name)),
            Text(show(row.class_name, 40)),
            figure(row.accumulated),
            figure(row.isolated),
            figure(row.ratio),
            Text(f"{row.state} ({row.note})" if row.note else row.state, style=ROW_STYLES.get(row.state, "")),
        )
        for row in rows
    ]
    return FigureTable(columns, cells, figures=columns[2:5], spare=("class",))


def _warnings(warnings: Iterable[tuple[str, str]]) -> Iterable[Text]:
    return (Text(f"Warning: {message}  [{code}]", style="yellow") for code, message in warnings)


def _verdict(verdict: str, text: str) -> Text:
    return Text.assemble((verdict, STYLES[verdict]), ": ", text)


def _explanation(verification: Verification) -> str:
    text = verification.summary().split(": ", 1)[1]
    if verification.verdict == "suspicious":
        return f"passed at tolerance, bug likely: {text}"
    return text


def _next(verification: Verification) -> str:
    if verification.verdict != verification.given_verdict:
        return next_after(verification)
    if verification.verdict == "match":
        return f"{typed('tests')}  (writes an integration test with the original's values)"
    if verification.verdict == "suspicious":
        return f"mend the culprit, then: {typed('verify --strict')}"
    if verification.verdict == "inconclusive":
        return f"see to the warnings, or declare outputs() so that every result is compared, then: {typed('verify')}"
    if verification.culprits:
        return f"mend the first culprit, then: {typed('verify')}"
    if any(output.numbers.original_shape != output.numbers.ported_shape for output in verification.comparison.outputs):
        return f"declare outputs() in the portfile, so that what corresponds is compared, then: {typed('verify')}"
    advice = "no module is off by more than rounding on its own, so give these dtypes the TOLERANCE that they need"
    return f"{advice}, or see every module with: {typed('verify --full')}"


def _comparison_row(call: CallComparison, first: bool) -> Row:
    numbers = call.worst
    return Row(
        name=call.ported.label or "(model)",
        class_name=call.ported.class_name,
        accumulated=numbers.max_abs if numbers else None,
        isolated=None,
        ratio=None,
        state=UNSEEN if not call.compared else "ok" if call.ok else "differs",
        note="first" if first else "",
    )
