"""The checks of the add-a-model recipe: one file per subject, one function per claim.

Every check can be imported from here by its name. Importing the checks imports no torch; running one does.
"""

from __future__ import annotations

from collections.abc import Callable

from porting.checks.caching import check_cache_equals_full_forward
from porting.checks.context import CheckContext
from porting.checks.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.checks.recording import record_checks
from porting.checks.report import CheckReport
from porting.checks.running import Check, CheckResult, expected_failures, iterate_checks, run_check
from porting.checks.saving import check_loading_info_clean, check_save_load_round_trip
from porting.checks.selecting import SelectionError, select_checks
from porting.checks.skeleton import check_default_config_builds, check_init_covers_weights, check_init_keeps_loaded
from porting.checks.suite import run_checks
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
    "CheckReport",
    "CheckResult",
    "ClaimRefuted",
    "Figures",
    "Inconclusive",
    "SelectionError",
    "Skip",
    "check_appended_text",
    "check_attention_equal",
    "check_attention_implementations",
    "check_batch_invariance",
    "check_bfloat16",
    "check_cache_equals_full_forward",
    "check_default_config_builds",
    "check_docstrings",
    "check_dropout_inactive",
    "check_eval_mode",
    "check_float16",
    "check_follows_device",
    "check_generate_equals_greedy_loop",
    "check_gradient_checkpointing",
    "check_gradients_equal",
    "check_greedy_tokens_equal",
    "check_hidden_states_equal",
    "check_init_covers_weights",
    "check_init_keeps_loaded",
    "check_loading_info_clean",
    "check_logits_to_keep",
    "check_longer_sequences",
    "check_mask_used",
    "check_masked_positions_ignored",
    "check_mlinter",
    "check_more_outputs",
    "check_no_placeholders",
    "check_no_random_weights",
    "check_norms_equal",
    "check_nothing_forgotten",
    "check_order_equal",
    "check_original_eval_mode",
    "check_original_repeats",
    "check_other_inputs",
    "check_outputs_equal",
    "check_padded_sequences",
    "check_padding_left",
    "check_padding_right",
    "check_position_ids",
    "check_positions_equal",
    "check_return_tuple",
    "check_runs_repeat",
    "check_save_load_round_trip",
    "check_settings_equal",
    "check_statistics_kept",
    "check_structure",
    "check_token_order",
    "check_use_cache",
    "check_weight_names",
    "check_weight_shapes",
    "check_weights_in_place",
    "check_weights_loaded",
    "check_weights_tied",
    "check_weights_used",
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
