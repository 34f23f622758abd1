"""Norms that are missing, too many, or of another type."""

from __future__ import annotations

import pytest
import torch
from relating import kinds, noise, recognised, repaired
from torch.nn import functional

from porting.comparison.relations import explain

X = 3 * noise(2, 7, 32) + 0.5
WEIGHT, BIAS = 1 + 0.3 * noise(32), noise(32, seed=1)


def test_a_missing_layer_norm_with_known_weights() -> None:
    found = repaired(X, functional.layer_norm(X, (32,), WEIGHT, BIAS), {"bias": BIAS, "weight": WEIGHT})
    assert (found.kind, found.terms, found.parameters["original"]) == ("normalised", ("weight", "bias"), "layer")
    assert found.text == "not layer-normalised with `weight` and `bias` along axis 2"


def test_weights_that_are_not_known_are_fitted() -> None:
    found = repaired(X, functional.layer_norm(X, (32,), WEIGHT, BIAS))
    assert found.text == "not layer-normalised with a weight for each index along axis 2"


@pytest.mark.parametrize("eps", [1e-6, 1e-2, 0.37])
def test_the_epsilon_is_recovered(eps: float) -> None:
    found = repaired(X, functional.rms_norm(X, (32,), None, eps))
    assert (found.parameters["original"], found.parameters["axis"]) == ("rms", 2)
    assert found.parameters["eps"] == pytest.approx(eps, rel=0.05, abs=1e-5)


def test_one_plus_weight_in_a_norm() -> None:
    found = repaired(X, functional.rms_norm(X, (32,), 1 + BIAS), {"weight": BIAS})
    assert found.text == "not rms-normalised with 1 + `weight` along axis 2"


@pytest.mark.parametrize("axis", [1, 2])
def test_a_missing_softmax(axis: int) -> None:
    found = repaired(X, X.softmax(axis))
    assert (found.parameters["original"], found.parameters["axis"]) == ("softmax", axis)


def test_a_missing_unit_length() -> None:
    assert repaired(X, functional.normalize(X, dim=-1)).parameters["original"] == "l2"


def test_one_type_for_another_of_a_known_tensor() -> None:
    known = {"x": X, "weight": WEIGHT}
    found = repaired(functional.layer_norm(X, (32,), WEIGHT), functional.rms_norm(X, (32,), WEIGHT), known)
    assert (found.parameters["ported"], found.parameters["original"]) == ("layer", "rms")


def test_a_norm_too_many_is_recognised() -> None:
    found = recognised(functional.layer_norm(X, (32,)), X)
    assert (found.parameters["ported"], found.parameters["original"]) == ("layer", "")


def test_channels_first() -> None:
    x = noise(2, 16, 5, 5)
    found = repaired(x, functional.layer_norm(x.permute(0, 2, 3, 1), (16,)).permute(0, 3, 1, 2))
    assert found.parameters["axis"] == 1


def test_nearly_a_norm_is_none() -> None:
    assert kinds(X, functional.layer_norm(X, (32,)) + 1e-3 * torch.sin(50 * X)) == []


def test_tokens_that_do_not_count_are_left_out() -> None:
    valid = torch.arange(7)[None] < torch.tensor([7, 4])[:, None]
    right = torch.where(valid[..., None], functional.layer_norm(X, (32,)), noise(2, 7, 32, seed=4))
    assert explain(X, right, valid=valid)[0].parameters["original"] == "layer"
