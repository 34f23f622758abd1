"""The checks of the add-a-model recipe: one file per subject, one function per claim.

Every check can be imported from here by its name. Importing the checks imports no torch; running one does.
"""

from __future__ import annotations

from collections.abc import Callable

from porting.checks.running.recording import record_checks
from porting.checks.running.report import CheckReport
from porting.checks.running.results import Check, CheckResult, expected_failures, iterate_checks, run_check
from porting.checks.running.selecting import SelectionError, select_checks
from porting.checks.running.suite import run_checks
from porting.checks.shared.context import CheckContext
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Skip

__all__ = [
    "Check",
    "CheckContext",
    "CheckReport",
    "CheckResult",
    "ClaimRefuted",
    "Figures",
    "Inconclusive",
    "SelectionError",
    "Skip",
    "expected_failures",
    "iterate_checks",
    "record_checks",
    "run_check",
    "run_checks",
    "select_checks",
]


def __getattr__(name: str) -> Callable[[CheckContext], Figures]:
    for check in iterate_checks():
        if check.name == name:
            return check.function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *(check.name for check in iterate_checks())])
