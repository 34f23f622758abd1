"""Seeded bugs: none is taken for right, and the module that is wrong is named."""

from __future__ import annotations

import pytest
from mutants.catalogue import MUTANTS, of
from mutants.mutant import Mutant
from mutants.outcomes import share, verify_mutant, verify_together
from mutants.several import TOGETHER, groups
from pairs.catalogue import NAMES, build
from pairs.installed import require_original

SAMPLE = {
    ("bert", "attention.merge_heads"),
    ("bert", "modes.dropout_active"),
    ("whisper", "convolutions.padding_replicated"),
    ("vit", "attention.more_heads"),
    ("vit", "weights.qk_swapped"),
    ("llama", "attention.kv_repeated_in_blocks"),
    ("llama", "blocks.wrong_side_gated"),
    ("llama", "weights.transposed"),
    ("pythia", "blocks.in_sequence"),
    ("esm2", "norms.eps_large"),
    ("resnet", "modes.batch_norm_training"),
    ("resnet", "weights.running_stats_not_loaded"),
    ("encodec", "convolutions.causal_missing"),
    ("encodec", "weights.lstm_gates"),
    ("mixtral", "routing.one_expert"),
    ("gemma2", "windows.window_missing"),
    ("mamba", "states.skip_missing"),
    ("clip", "weights.kv_swapped"),
    ("swin", "norms.eps_large"),
    ("convnext", "weights.kernel_transposed"),
}
"""A few of every kind, for every run of the tests; the marker ``zoo`` runs all."""


def label(mutant: Mutant) -> str:
    return f"{mutant.pair}-{mutant.name}"


def sample() -> list[Mutant]:
    return [mutant for mutant in MUTANTS if (mutant.pair, mutant.name) in SAMPLE]


def test_mutants_have_names_of_their_own() -> None:
    names = [(mutant.pair, mutant.name) for mutant in MUTANTS]
    assert len(names) == len(set(names))
    assert set(names) >= SAMPLE
    assert {pair for pair, _ in names} == set(NAMES) == set(TOGETHER)


@pytest.mark.parametrize("pair", NAMES)
def test_every_mutant_changes_the_output(pair: str) -> None:
    require_original(pair)
    clean = build(pair).difference()
    for mutant in of(pair):
        built = build(pair)
        built.ported.get_submodule(mutant.path)
        mutant.put_into(built.ported)
        assert built.difference() > max(1e-6, 5 * clean), label(mutant)


@pytest.mark.parametrize("mutant", sample(), ids=label)
def test_a_seeded_bug_is_found_where_it_is(mutant: Mutant) -> None:
    require_original(mutant.pair)
    outcome = verify_mutant(mutant)
    assert outcome.verdict in ("mismatch", "suspicious")
    assert outcome.first_hit, outcome.blamed


def test_several_bugs_at_once_are_all_found() -> None:
    assert_all_found("llama")


@pytest.mark.zoo
@pytest.mark.parametrize("pair", NAMES)
def test_several_bugs_at_once_are_all_found_on_every_pair(pair: str) -> None:
    assert_all_found(pair)


def assert_all_found(pair: str) -> None:
    require_original(pair)
    for mutants in groups(pair):
        found = verify_together(mutants)
        assert [label(outcome.mutant) for outcome in found if not outcome.any_hit] == [], found[0].blamed


@pytest.mark.zoo
def test_over_all_bugs_the_gates_hold() -> None:
    for name in NAMES:
        require_original(name)
    outcomes = [verify_mutant(mutant) for mutant in MUTANTS]
    large = [outcome for outcome in outcomes if outcome.difference > 1e-3]
    matches = [label(outcome.mutant) for outcome in outcomes if outcome.verdict == "match"]
    elsewhere = [label(outcome.mutant) for outcome in large if not outcome.first_hit]
    wrong = [label(outcome.mutant) for outcome in outcomes if outcome.verified_wrong]
    assert matches == []
    assert share(large, "first_hit") >= 0.9, elsewhere
    assert share(outcomes, "verified_wrong") <= 0.03, wrong
