"""Checks without which a port is complete, each with the reason; they are run and shown all the same."""

from __future__ import annotations

from collections.abc import Mapping

OPTIONAL_CHECKS: Mapping[str, str] = {
    "check_nearest_named": "which model is nearest is a person's to say: shapes only suggest it",
    "check_float16": "the recipe asks for no half precision, and models trained in bfloat16 may overflow in it",
    "check_chat_odd_prompts_equal": "reviewers ask for the usual order of turns",
}
