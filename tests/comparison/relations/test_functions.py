"""One elementwise function for another."""

from __future__ import annotations

import pytest
import torch
from relating import kinds, noise, recognised, repaired
from torch.nn import functional

from porting.comparison.relations import explain
from porting.comparison.relations.activations import ACTIVATIONS

X, Y = 2 * noise(2, 7, 32), noise(2, 7, 32, seed=1)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in ("identity", "negation", "relu")])
def test_every_function_of_a_known_tensor_is_recognised(name: str) -> None:
    x = X.double()
    found = repaired(functional.relu(x), ACTIVATIONS[name](x), {"x": x, "y": Y})
    assert found.terms in (("x",), ())
    named = [r for r in explain(functional.relu(x), ACTIVATIONS[name](x), {"x": x}) if r.kind == "function"]
    assert {"ported": "relu", "original": name} in [r.parameters for r in named]


def test_the_two_gelus_are_told_apart() -> None:
    found = repaired(functional.gelu(X), functional.gelu(X, approximate="tanh"), {"x": X})
    assert found.parameters == {"ported": "gelu", "original": "gelu_tanh"}
    assert found.text == "gelu of `x`, the right one is gelu_tanh"


@pytest.mark.parametrize(
    ("right", "name"),
    [
        (lambda x: functional.leaky_relu(x, 0.07), "leaky_relu(0.07)"),
        (lambda x: functional.elu(x, 0.5), "elu(0.5)"),
        (lambda x: x * torch.sigmoid(1.3 * x), "swish(1.3)"),
    ],
)
def test_constants_of_functions_are_fitted(right: object, name: str) -> None:
    assert callable(right)
    functions = [r for r in explain(functional.relu(X), right(X), {"x": X}) if r.terms == ("x",)]
    assert functions[0].parameters == {"ported": "relu", "original": name}


def test_a_missing_activation_needs_no_known_tensor() -> None:
    found = repaired(X, functional.silu(X))
    assert found.parameters == {"ported": "identity", "original": "silu"}


def test_what_an_extra_activation_took_away_is_not_brought_back() -> None:
    found = recognised(functional.relu(X), X)
    assert found.parameters == {"ported": "relu", "original": "identity"}


def test_a_missing_soft_cap_and_its_cap() -> None:
    found = repaired(10 * X, 20 * torch.tanh(10 * X / 20))
    assert (found.kind, found.parameters["cap"]) == ("softcapped", 20)


def test_a_soft_cap_too_many_is_taken_off() -> None:
    x = X.double()
    assert repaired(20 * torch.tanh(x / 20), x).kind == "softcapped"


def test_missing_limits() -> None:
    found = repaired(X, X.clamp(-1, 1.5))
    assert (found.kind, found.parameters["low"], found.parameters["high"]) == ("clipped", -1, 1.5)


def test_limits_too_many() -> None:
    assert recognised(X.clamp(max=1.25), X).text == "clipped at 1.25"


def test_functions_of_unknown_tensors_are_not_guessed() -> None:
    assert kinds(functional.gelu(X), functional.gelu(X, approximate="tanh"), {"y": Y}) == []
