"""The checks of the add-a-model recipe: one file per step, one function per claim.

Importing the checks imports no torch; running one does.
"""

from __future__ import annotations

from porting.checks.context import CheckContext
from porting.checks.forward import check_hidden_states_equal, check_outputs_equal
from porting.checks.modes import (
    check_dropout_inactive,
    check_eval_mode,
    check_runs_repeat,
    check_statistics_kept,
)
from porting.checks.original import check_original_eval_mode, check_original_repeats
from porting.checks.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.checks.running import Check, CheckResult, expected_failures, iterate_checks, run_check
from porting.checks.weights import check_weights_loaded

__all__ = [
    "Check",
    "CheckContext",
    "CheckResult",
    "ClaimRefuted",
    "Figures",
    "Inconclusive",
    "Skip",
    "check_dropout_inactive",
    "check_eval_mode",
    "check_hidden_states_equal",
    "check_original_eval_mode",
    "check_original_repeats",
    "check_outputs_equal",
    "check_runs_repeat",
    "check_statistics_kept",
    "check_weights_loaded",
    "expected_failures",
    "iterate_checks",
    "run_check",
]
