"""What other commands than ``porting check`` prove is evidence of the checks that it settles.

The checks themselves run, on a context that has what the command made: there is one truth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from porting.checks import forward, mistakes, modes, original, publishing, weights
from porting.checks.running.recording import circumstances_of, record_checks
from porting.checks.running.suite import run_checks
from porting.errors import PortingError
from porting.evidence import Outcome, record
from porting.evidence.circumstances import typed_command
from porting.evidence.subjects import about
from porting.portfile import command_line
from porting.weights.conversion.latest import converted_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from porting.checks.shared.context import CheckContext
    from porting.checks.shared.outcomes import Figures
    from porting.recording import Recording
    from porting.weights import WeightsReport
    from porting.weights.conversion import Conversion

    CheckFunction = Callable[[CheckContext], Figures]

BY_VERIFYING: tuple[CheckFunction, ...] = (
    original.check_original_runs,
    original.check_inputs_separate,
    original.check_original_eval_mode,
    modes.check_eval_mode,
    *forward.CHECKS,
    *mistakes.CHECKS,
)
"""Checks of what a verification says, and of nothing more."""
BY_NAMES: tuple[CheckFunction, ...] = (weights.check_weight_names, weights.check_weight_shapes)


def record_verification(context: CheckContext) -> str | None:
    """Keep what the verification of a context proved.

    Returns:
        A warning if it could not be kept, else None.
    """
    return _run(context, BY_VERIFYING)


def record_capture(context: CheckContext, recording: Recording, asked: Collection[str]) -> str | None:
    """Keep whether the original gave the same bits when it ran again; nothing if it ran once.

    Args:
        context: of the portfile.
        recording: of both runs.
        asked: for what they asked.

    Returns:
        A warning if it could not be kept, else None.
    """
    if recording.repeats < 2 or not any(trace.run.get("side") == "original" for _, trace in recording.traces):
        return None
    context.hand(original.RECORDING, recording, asked)
    return _run(context, [original.check_original_repeats])


def record_weights(context: CheckContext, report: WeightsReport, asked: Collection[str]) -> str | None:
    """Keep what a comparison of the portfile's own checkpoint with the port proved: names and shapes, or all values.

    Args:
        context: of the portfile; where values were compared its live port is the one that was audited.
        report: of the comparison.
        asked: for what the comparison asked.

    Returns:
        A warning if it could not be kept, else None.
    """
    usable = context.portfile.rules() is not None or not report.of("MISSING")
    context.hand("audit", report if usable else None, asked)
    return _run(context, weights.CHECKS if report.values else BY_NAMES)


def record_conversion(context: CheckContext, conversion: Conversion, asked: Collection[str]) -> str | None:
    """Keep what a conversion proved; nothing of a dry run, or of one whose result was not loaded again.

    Args:
        context: of the portfile.
        conversion: what was done.
        asked: for what it asked.

    Returns:
        A warning if it could not be kept, else None.
    """
    if conversion.dry_run or (conversion.ok and conversion.audit is None):
        return None
    if conversion.ok:
        beside = converted_folder(context.portfile.folder)
        same = beside is not None and beside.resolve() == conversion.folder.resolve()
        return _run(context, [publishing.check_converted_folder]) if same else None
    figures: Figures = {"tensors": conversion.tensors, "problems": len(conversion.problems)}
    name, message = publishing.check_converted_folder.__name__, conversion.failure_message()
    return _record(context, Outcome(name, publishing.STEP, "failed", figures, message), asked)


def _run(context: CheckContext, checks: Iterable[CheckFunction]) -> str | None:
    try:
        return record_checks(context, run_checks(context, [check.__name__ for check in checks]))
    except PortingError as error:  # EXPECTED_FAILURES names no check
        return f"Warning: no evidence was recorded: {error.message}"


def _record(context: CheckContext, outcome: Outcome, asked: Collection[str]) -> str | None:
    portfile = context.portfile
    spoken = about(portfile, {*asked, f"expected {outcome.claim}"})
    command = typed_command() or command_line(portfile.path.name, "check")
    return record(portfile, [replace(outcome, about=spoken)], command, circumstances_of(context))
