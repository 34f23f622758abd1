"""What checks showed becomes evidence, one record a check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.evidence import Outcome, record
from porting.evidence.circumstances import Circumstances, device_of, typed_command
from porting.evidence.subjects import about
from porting.portfile import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checks.running.report import CheckReport
    from porting.checks.running.results import CheckResult
    from porting.checks.shared.context import CheckContext
    from porting.portfile import Portfile


def record_checks(context: CheckContext, report: CheckReport, command: str = "") -> str | None:
    """Keep how every check ended, under the check's name.

    Args:
        context: on which they ran.
        report: of them.
        command: what was run; by default what was typed.

    Returns:
        A warning if it could not be kept, else None.
    """
    return record_results(context, report.results, command)


def record_results(context: CheckContext, results: Sequence[CheckResult], command: str = "") -> str | None:
    """The same of some results."""
    portfile = context.portfile
    outcomes = [outcome_of(portfile, result) for result in results]
    said = command or typed_command() or command_line(portfile.path.name, "check")
    return record(portfile, outcomes, said, circumstances_of(context))


def outcome_of(portfile: Portfile, result: CheckResult) -> Outcome:
    """How a check ended, with what it speaks of."""
    word = result.status if result.status != "skipped" else "lacking" if result.lacking else "not applicable"
    spoken = about(portfile, {*result.asked, f"expected {result.name}"})
    return Outcome(result.name, result.step, word, result.figures, result.message, spoken)


def circumstances_of(context: CheckContext) -> Circumstances:
    """Under which the checks of a context run: on which device, and with code of which commit."""
    code = context.portfile.used.code.get("ported", {})
    return Circumstances.of(context.portfile, device=device_of(context.built.values()), code=code)
