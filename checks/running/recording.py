"""What checks showed becomes evidence, one record a check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.evidence import Outcome, record
from porting.evidence.subjects import about
from porting.portfile import command_line

if TYPE_CHECKING:
    from porting.checks.running.report import CheckReport
    from porting.checks.running.results import CheckResult
    from porting.checks.shared.context import CheckContext
    from porting.portfile import Portfile


def record_checks(context: CheckContext, report: CheckReport) -> str | None:
    """Keep how every check ended, under the check's name.

    Returns:
        A warning if it could not be kept, else None.
    """
    outcomes = [outcome_of(context.portfile, result) for result in report.results]
    return record(context.portfile, outcomes, command_line(context.portfile.path.name, "check"))


def outcome_of(portfile: Portfile, result: CheckResult) -> Outcome:
    """How a check ended, with what it speaks of."""
    word = result.status if result.status != "skipped" else "lacking" if result.lacking else "not applicable"
    spoken = about(portfile, {*result.asked, f"expected {result.name}"})
    return Outcome(result.name, result.step, word, result.figures, result.message, spoken)
