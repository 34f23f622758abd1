"""What checks showed becomes evidence, one record a check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from porting.evidence import Outcome, record
from porting.evidence.staleness import about_files
from porting.portfile import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from porting.checks.running.report import CheckReport
    from porting.checks.running.results import CheckResult
    from porting.checks.shared.context import CheckContext


def record_checks(context: CheckContext, report: CheckReport) -> str | None:
    """Keep how every check ended, under the check's name.

    Returns:
        A warning if it could not be kept, else None.
    """
    about = about_files(context.portfile, (context.portfile.path, *_sources(context)))
    outcomes = [_outcome(result, about) for result in report.results]
    return record(context.portfile, outcomes, command_line(context.portfile.path.name, "check"))


def _outcome(result: CheckResult, about: Mapping[str, str]) -> Outcome:
    word = result.status if result.status != "skipped" else "lacking" if result.lacking else "not applicable"
    return Outcome(result.name, result.step, word, result.figures, result.message, about)


def _sources(context: CheckContext) -> Iterator[Path]:
    """The files of both models' classes, and a recorded original's manifest."""
    from porting.hooks.capturing import source_of
    from porting.trace.folders import MANIFEST

    for model in context.built.values():
        yield from map(Path, source_of(type(model)))
    if context.portfile.original_trace is not None:
        yield context.portfile.original_trace / MANIFEST
