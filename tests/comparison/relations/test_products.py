"""Known tensors as factors."""

from __future__ import annotations

import pytest
import torch
from relating import kinds, noise, repaired
from torch.nn import functional

X, Y = noise(2, 7, 32), noise(2, 7, 32, seed=1)


@pytest.mark.parametrize("function", ["sigmoid", "silu", "tanh"])
def test_a_missing_gate_is_found_with_its_function(function: str) -> None:
    gate = getattr(functional, function)(Y)
    found = repaired(X, X * gate, {"gate": Y})
    assert (found.kind, found.terms, found.parameters["function"]) == ("multiplied", ("gate",), function)


def test_a_factor_too_many() -> None:
    found = repaired(X * (Y.abs() + 0.5), X, {"y": Y.abs() + 0.5})
    assert (found.kind, found.terms) == ("divided", ("y",))


def test_one_plus_weight() -> None:
    weight = noise(32)
    found = repaired(X, X * (1 + weight), {"weight": weight})
    assert found.text == "not multiplied by 1 + `weight`"


def test_gate_and_value_are_exchanged() -> None:
    found = repaired(functional.silu(X) * Y, X * functional.silu(Y), {"one": X, "two": Y})
    assert (found.kind, found.terms) == ("swapped factors", ("one", "two"))


def test_the_halves_of_a_fused_gate_are_exchanged() -> None:
    fused = torch.cat([X, Y], -1)
    found = repaired(functional.gelu(X) * Y, X * functional.gelu(Y), {"fused": fused})
    assert (found.kind, found.terms) == ("swapped factors", ("fused", "fused"))


def test_an_unknown_gate_explains_nothing() -> None:
    assert kinds(X, X * torch.sigmoid(Y), {"other": noise(2, 7, 32, seed=5)}) == []
