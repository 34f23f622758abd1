"""Seeded conversion bugs of real ports: each is found at its tensor, by its cause; a clean port has no finding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant
from pairs.catalogue import NAMES, build
from pairs.installed import require_original
from pairs.rules import rules_of
from torch import nn

from porting.weights import WeightsReport, audit_loaded

LOADING = [mutant for mutant in MUTANTS if mutant.kind == "weights"]
SAMPLE = {
    ("llama", "weights.gate_up_swapped"),
    ("llama", "weights.rows_interleaved"),
    ("bert", "weights.layers_exchanged"),
    ("bert", "weights.padding_row_zeroed"),
    ("esm2", "weights.bias_zero"),
    ("pythia", "weights.fused_not_interleaved"),
    ("vit", "weights.bias_missing"),
    ("convnext", "weights.kernel_transposed"),
}
"""One of every way to find them, for every run; the marker ``zoo`` runs all."""


CLEAN = ("bert", "encodec", "llama", "mixtral")


def label(mutant: Mutant) -> str:
    return f"{mutant.pair}-{mutant.name}"


def audited(name: str, break_it: Callable[[nn.Module], None] = lambda ported: None) -> WeightsReport:
    """The port held against its original's own tensors, by the rules."""
    require_original(name)
    pair = build(name)
    original = {key: tensor.clone() for key, tensor in pair.original.state_dict().items()}
    break_it(pair.ported)
    return audit_loaded(pair.ported, original, rules_of(name))


def assert_named(mutant: Mutant) -> None:
    findings = audited(mutant.pair, mutant.put_into).failures()
    blamed = {finding.name: finding.cause for finding in findings}
    places = (mutant.path, *mutant.also)
    seen = {name: cause for name, cause in blamed.items() if name.startswith(places)}
    assert seen, (label(mutant), blamed)
    assert set(seen.values()) <= set(mutant.codes), (label(mutant), findings)


@pytest.mark.parametrize("mutant", [each for each in LOADING if (each.pair, each.name) in SAMPLE], ids=label)
def test_a_seeded_loading_bug_is_found_and_named(mutant: Mutant) -> None:
    assert_named(mutant)


@pytest.mark.zoo
@pytest.mark.parametrize("mutant", LOADING, ids=label)
def test_every_seeded_loading_bug_is_found_and_named(mutant: Mutant) -> None:
    assert_named(mutant)


@pytest.mark.parametrize(
    "pair", [name if name in CLEAN else pytest.param(name, marks=pytest.mark.zoo) for name in NAMES]
)
def test_a_clean_port_has_no_finding(pair: str) -> None:
    report = audited(pair)
    assert report.ok
    assert [finding for finding in report.findings if finding.status != "TIED"] == []
    assert not {"not-rebuilt", "rounding"} & {remark.code for remark in report.warnings}
