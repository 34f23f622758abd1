"""What checks showed becomes evidence, one record a check."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from porting.evidence import Outcome, record
from porting.portfile import command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from porting.checks.running.report import CheckReport
    from porting.checks.running.results import CheckResult, Status
    from porting.checks.shared.context import CheckContext

RESULTS: Mapping[Status, str] = {
    "passed": "passed",
    "failed": "failed",
    "expected failure": "failed",
    "inconclusive": "inconclusive",
}
"""What a status is as evidence; a check that was skipped or could not run leaves none."""


def record_checks(context: CheckContext, report: CheckReport) -> str | None:
    """Keep how every check ended that showed something, under the check's name.

    Returns:
        A warning if it could not be kept, else None.
    """
    outcomes = [_outcome(result) for result in report.results if result.status in RESULTS]
    if not outcomes:
        return None
    command = command_line(context.portfile.path.name, "check")
    return record(context.portfile, outcomes, command, _sources(context))


def _outcome(result: CheckResult) -> Outcome:
    expected = {"expected": True} if result.status == "expected failure" else {}
    return Outcome(result.name, result.step, RESULTS[result.status], {**result.figures, **expected})


def _sources(context: CheckContext) -> Mapping[str, str]:
    """The files of both models' classes, and a recorded original's manifest, with their SHA-256."""
    from porting.hooks.capturing import source_of
    from porting.trace.folders import MANIFEST

    found: dict[str, str] = {}
    for model in context.built.values():
        found |= source_of(type(model))
    if context.portfile.original_trace is not None:
        manifest = context.portfile.original_trace / MANIFEST
        if manifest.is_file():
            found[str(manifest)] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    return found
