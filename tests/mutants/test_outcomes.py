"""The benchmark's own rules: what counts as a hit, a right cause, a wrong one."""

from __future__ import annotations

from typing import Any

from mutants.mutant import Mutant
from mutants.outcomes import Outcome, seed, share
from torch import nn


def outcome(*culprits: tuple[str, list[tuple[str, bool]]]) -> Outcome:
    mutant = Mutant("kind.bug", "pair", "layer", ("layer.out",), ("swapped",), lambda model, path: None)
    document: dict[str, Any] = {
        "verdict": "mismatch",
        "culprits": [
            {"ported": path, "causes": [{"code": code, "verified": verified} for code, verified in causes]}
            for path, causes in culprits
        ],
    }
    return Outcome(mutant, 1.0, frozenset({"layer", "layer.out"}), document, 0.1)


def test_only_the_first_culprit_is_a_first_hit() -> None:
    assert outcome(("layer.out", [])).first_hit
    late = outcome(("other", []), ("layer", []))
    assert (late.first_hit, late.any_hit) == (False, True)
    assert not outcome(("", [])).any_hit
    assert not outcome().first_hit


def test_a_cause_is_right_by_its_code_and_counts_as_verified_only_if_it_is() -> None:
    claimed = outcome(("layer", [("swapped", False)]))
    assert (claimed.cause_right, claimed.verified_right) == (True, False)
    assert outcome(("layer", [("swapped", True)])).verified_right
    assert not outcome(("layer", [("permuted", True), ("swapped", True)])).cause_right
    assert not outcome(("layer", [])).cause_right


def test_a_verified_wrong_cause_of_any_culprit_counts() -> None:
    assert outcome(("layer", [("swapped", True)]), ("other", [("permuted", True)])).verified_wrong
    assert not outcome(("layer", [("permuted", False)])).verified_wrong


def test_a_seed_may_be_found_at_the_owner_of_a_changed_tensor_below_it() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2))

    def zero(model: nn.Module, path: str) -> None:
        for name in ("0.1", "1"):
            nn.init.zeros_(model.get_submodule(name).get_parameter("weight"))

    mutant = Mutant("kind.bug", "pair", "0", ("also",), (), zero)
    assert seed(mutant, model) == {"0", "0.1", "also"}
    assert not model.get_parameter("1.weight").any()


def test_a_share_of_nothing_is_all() -> None:
    assert share([outcome(("layer", [])), outcome(("other", []))], "first_hit") == 0.5
    assert share([], "first_hit") == 1
