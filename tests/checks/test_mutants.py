"""Every seeded bug fails a check whose name fits it."""

from __future__ import annotations

from pathlib import Path

import pytest
from checked import context_of, result_of
from mutants.catalogue import MUTANTS, of
from mutants.mutant import Mutant
from mutants.outcomes import seed
from pairs.catalogue import NAMES, build
from pairs.installed import require_original

from porting.checks.mistakes import MISTAKES

SAMPLE = {
    ("bert", "modes.dropout_active"),
    ("gemma2", "windows.window_missing"),
    ("vit", "attention.more_heads"),
    ("resnet", "modes.batch_norm_training"),
    ("clip", "weights.kv_swapped"),
    ("whisper", "attention.looks_at_itself"),
}
LAYERS_ONLY = {
    ("clip", "towers.first_token_pooled"),
    ("mamba", "states.activation_missing"),
    ("mamba", "states.step_not_positive"),
    ("mixtral", "routing.not_normalised"),
    ("mixtral", "routing.sigmoid_weights"),
    ("mixtral", "routing.weights_forgotten"),
    ("swin", "windows.shift_mask_missing"),
    ("swin", "windows.shift_missing"),
    ("vit", "attention.value_of_query"),
    ("whisper", "attention.looks_at_itself"),
}
"""Bugs whose cause is not found yet: only the claim that every layer is equal fails, and names the module."""


def test_a_seeded_bug_fails_the_check_of_its_kind(tmp_path: Path) -> None:
    sample = [mutant for mutant in MUTANTS if (mutant.pair, mutant.name) in SAMPLE]
    assert {mutant.pair for mutant in sample} == {pair for pair, _ in SAMPLE}
    for mutant in sample:
        require_original(mutant.pair)
        assert_noticed(mutant, tmp_path)


@pytest.mark.zoo
@pytest.mark.parametrize("pair", NAMES)
def test_all_seeded_bugs_fail_the_check_of_their_kind(pair: str, tmp_path: Path) -> None:
    require_original(pair)
    for mutant in of(pair):
        assert_noticed(mutant, tmp_path)


def assert_noticed(mutant: Mutant, folder: Path) -> None:
    pair = build(mutant.pair)
    seed(mutant, pair.ported)
    context = context_of(pair, folder)
    fitting = [name for name, codes in MISTAKES.items() if set(codes) & set(mutant.codes)]
    failed = [name for name in (*fitting, "check_hidden_states_equal") if result_of(name, context).status == "failed"]
    unnamed = (mutant.pair, mutant.name) in LAYERS_ONLY
    assert failed[-1:] == ["check_hidden_states_equal"], mutant
    assert (len(failed) == 1) == unnamed, (mutant, failed)
