"""Scaled and offset, by one number or by one for each index."""

from __future__ import annotations

import math

import pytest
import torch
from relating import kinds, noise, repaired

X = noise(2, 7, 32)


def test_a_scale_is_found_and_named_by_the_width_that_it_comes_from() -> None:
    found = repaired(X, X * math.sqrt(32))
    assert found.kind == "scaled"
    assert found.parameters["constant"] == "sqrt(32)"
    assert found.text == "scaled by 0.176777 (the right one is 5.65685 = sqrt(32) times the wrong one)"


@pytest.mark.parametrize(("factor", "name"), [(8.0, "8"), (0.5, "1/2"), (1 / 32, "1/32"), (7**-0.5, "1/sqrt(7)")])
def test_constants_are_recognised(factor: float, name: str) -> None:
    assert repaired(X, X * factor).parameters["constant"] == name


def test_a_factor_of_no_known_origin_is_a_number() -> None:
    found = repaired(X, X * 0.18215)
    assert found.kind == "scaled"
    assert found.parameters["factor"] == pytest.approx(0.18215, rel=1e-6)
    assert "constant" not in found.parameters


def test_a_negated_tensor_is_a_matter_of_sign() -> None:
    assert repaired(X, -X).kind == "sign"


def test_a_constant_offset() -> None:
    found = repaired(X, X - 0.25)
    assert found.kind == "offset"
    assert found.parameters == {"offset": -0.25}


def test_both_at_once() -> None:
    found = repaired(X, 2.3 * X + 0.7)
    assert found.kind == "affine"
    assert found.parameters["factor"] == pytest.approx(2.3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_factor_for_each_index(axis: int) -> None:
    weight = 1 + noise(X.shape[axis], seed=1).abs()
    found = repaired(X, X * weight.reshape([-1 if each == axis else 1 for each in range(3)]))
    assert found.kind == "scaled along"
    assert found.parameters["axis"] == axis


def test_one_offset_for_each_channel() -> None:
    x, bias = noise(3, 5, 6, 6), noise(5)
    found = repaired(x, x + bias[:, None, None])
    assert found.kind == "offset"
    assert found.parameters["axis"] == 1


def test_statistics_of_a_batch_norm_scale_and_offset_each_channel() -> None:
    x = noise(3, 5, 6, 6)
    found = repaired(x, (x * (1 + noise(5).abs())[:, None, None]) + noise(5, seed=2)[:, None, None])
    assert found.kind == "affine along"
    assert found.parameters["axis"] == 1


def test_a_row_is_too_little_for_a_factor_of_each_index() -> None:
    assert kinds(noise(1, 32), noise(1, 32, seed=1)) == []
    assert "scaled along" not in kinds(noise(3, 32), noise(3, 32) * noise(32, seed=1))


def test_equal_rows_are_no_evidence_for_a_factor_of_each_index() -> None:
    row = noise(32).expand(16, 32)
    assert "scaled along" not in kinds(row, noise(32, seed=1).expand(16, 32))


def test_ids_are_offset() -> None:
    ids = torch.arange(14).reshape(2, 7) % 5
    found = repaired(ids, ids + 2)
    assert (found.kind, found.parameters["offset"]) == ("offset", 2)


def test_a_mask_is_negated() -> None:
    mask = noise(4, 9) > 0.3
    found = repaired(mask, ~mask)
    assert found.kind == "sign"


def test_complex_tensors_are_scaled() -> None:
    x = torch.complex(noise(4, 8), noise(4, 8, seed=1))
    assert repaired(x, 2 * x).kind == "scaled"


def test_half_precision_is_scaled() -> None:
    x = X.bfloat16()
    assert repaired(x, 2 * x).kind == "scaled"
