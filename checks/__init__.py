"""The checks of the add-a-model recipe: one file per step, one function per claim.

Importing the checks imports no torch; running one does.
"""

from __future__ import annotations

from porting.checks.context import CheckContext
from porting.checks.forward import check_hidden_states_equal, check_outputs_equal
from porting.checks.mistakes import (
    check_attention_equal,
    check_norms_equal,
    check_nothing_forgotten,
    check_order_equal,
    check_positions_equal,
    check_settings_equal,
    check_weights_in_place,
)
from porting.checks.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.checks.running import Check, CheckResult, expected_failures, iterate_checks, run_check
from porting.checks.saving import check_loading_info_clean, check_save_load_round_trip
from porting.checks.weights import (
    check_no_random_weights,
    check_weight_names,
    check_weight_shapes,
    check_weights_loaded,
    check_weights_tied,
    check_weights_used,
)

__all__ = [
    "Check",
    "CheckContext",
    "CheckResult",
    "ClaimRefuted",
    "Figures",
    "Inconclusive",
    "Skip",
    "check_attention_equal",
    "check_hidden_states_equal",
    "check_loading_info_clean",
    "check_no_random_weights",
    "check_norms_equal",
    "check_nothing_forgotten",
    "check_order_equal",
    "check_outputs_equal",
    "check_positions_equal",
    "check_save_load_round_trip",
    "check_settings_equal",
    "check_weight_names",
    "check_weight_shapes",
    "check_weights_in_place",
    "check_weights_loaded",
    "check_weights_tied",
    "check_weights_used",
    "expected_failures",
    "iterate_checks",
    "run_check",
]
