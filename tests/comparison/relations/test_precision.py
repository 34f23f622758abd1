"""Rounded, and dropped out."""

from __future__ import annotations

import pytest
import torch
from relating import kinds, noise, recognised
from torch.nn import functional

X = noise(2, 7, 32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_a_cast_and_back_is_recognised(dtype: torch.dtype) -> None:
    found = recognised(X.to(dtype).float(), X)
    assert (found.kind, found.text) == ("rounded", f"rounded to {found.parameters['dtype']}")
    assert str(dtype).endswith(str(found.parameters["dtype"]))


def test_single_for_double() -> None:
    x = noise(2, 7, 32).double() / 3
    assert kinds(x.float().double(), x) == ["rounded"]


def test_computed_in_lower_precision() -> None:
    weight = noise(32, 32)
    found = recognised((X.bfloat16() @ weight.bfloat16()).float(), X @ weight)
    assert found.text == "computed in bfloat16: it has no more precision than that"


def test_values_that_any_dtype_holds_are_not_rounded() -> None:
    assert "rounded" not in kinds(X.round(), X.round() + (noise(2, 7, 32, seed=1) > 2).float())


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_active_dropout(p: float) -> None:
    torch.manual_seed(0)
    found = recognised(functional.dropout(X, p), X)
    assert found.kind == "dropout"
    assert found.parameters["p"] == pytest.approx(p)


def test_zeros_without_their_scale_are_dropout_of_about_that_rate() -> None:
    found = recognised(X * (noise(2, 7, 32, seed=1) > -1), X)
    assert found.kind == "dropout"
    assert found.parameters["p"] == pytest.approx(0.16, abs=0.05)
