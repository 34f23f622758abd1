"""Probes and the run with new weights in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from porting.report.detail import typed
from porting.report.tables import FigureTable
from porting.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.diagnosis import Culprit
    from porting.probes import Probe
    from porting.reinit import Reinitialisation
    from porting.verification import Verification

STYLES = {"match": "green", "suspicious": "bold yellow", "mismatch": "bold red", "inconclusive": "bold yellow"}
NAMED = 3
"""Tensors that were left alone and are named."""


def further_runs(verification: Verification) -> Iterator[RenderableType]:
    """What was seen with other inputs and other weights; nothing where that was not asked for."""
    if verification.probes:
        yield _table(verification.probes)
    if verification.reinit is not None:
        yield from _reinit(verification.reinit)
    if verification.probes or verification.reinit is not None:
        yield Text()


def next_after(verification: Verification) -> str:
    """What to do about a probe, or about the new weights, that are worse than the given run."""
    if any(probe.verdict == verification.verdict for probe in verification.probes):
        return f"mend what the first probe that differs names, then: {typed('verify --probe')}"
    return f"mend what the new weights show, then: {typed('verify --reinit')}"


def _table(probes: tuple[Probe, ...]) -> FigureTable:
    columns = ("probe", "inputs", "max abs", "verdict", "")
    rows = [
        (
            Text(probe.name),
            Text(show(probe.description)),
            Text("-" if probe.max_abs is None else f"{probe.max_abs:.2g}"),
            Text(probe.verdict, style=STYLES.get(probe.verdict, "dim")),
            Text(show(probe.reason, 200) or _first(probe.culprits)),
        )
        for probe in probes
    ]
    return FigureTable(columns, rows, figures=("max abs",), spare=("inputs",))


def _first(culprits: tuple[Culprit, ...]) -> str:
    if not culprits:
        return ""
    more = f" and {len(culprits) - 1} more" if len(culprits) > 1 else ""
    cause = culprits[0].causes[0].code if culprits[0].causes else ""
    return f"culprit: {show(culprits[0].ported or 'the model itself')}{more}" + (f" ({show(cause)})" if cause else "")


def _reinit(run: Reinitialisation) -> Iterator[Text]:
    size = "" if run.max_abs is None else f", max abs {run.max_abs:.2g}"
    found = show(run.reason, 200) or _first(run.culprits)
    yield Text.assemble(
        f"With new weights (seed {run.seed}, {run.moved} tensors of the port, the same on both sides): ",
        (run.verdict, STYLES.get(run.verdict, "dim")),
        size + (f"; {found}" if found else ""),
    )
    if run.left:
        names = ", ".join(f"{show(name)} ({show(why)})" for _, name, why in run.left[:NAMED])
        more = " …" if len(run.left) > NAMED else ""
        yield Text(f"    {len(run.left)} left alone: {names}{more}", style="dim")
