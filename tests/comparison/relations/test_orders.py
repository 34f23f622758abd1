"""Permuted and shifted along an axis."""

from __future__ import annotations

import pytest
import torch
from relating import kinds, noise, repaired
from torch.nn import functional

from porting.comparison.relations import explain

X = noise(2, 7, 48)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_reversal(axis: int) -> None:
    found = repaired(X, X.flip(axis))
    assert (found.kind, found.parameters["name"], found.parameters["axis"]) == ("permuted", "reversal", axis)


def test_a_rotation() -> None:
    assert repaired(X, X.roll(-5, 2)).parameters == {"name": "rotation", "by": 5, "axis": 2}


def test_halves_for_interleaved() -> None:
    pairs = X.reshape(2, 7, 2, 24).transpose(2, 3).reshape(X.shape)
    assert repaired(X, pairs).text.endswith("in halves, where the right one interleaves them")
    assert repaired(pairs, X).text.endswith("interleaved, where the right one keeps halves")


def test_each_head_keeps_its_own_q_k_v() -> None:
    found = repaired(X, X.reshape(2, 7, 4, 3, 4).transpose(2, 3).reshape(X.shape))
    assert found.parameters["groups"] == (4, 3, 4)
    assert found.parameters["axes"] == (1, 0, 2)


def test_blocks_in_another_order() -> None:
    q, k, v = torch.split(X, [16, 16, 16], -1)
    found = repaired(torch.cat([k, q, v], -1), X)
    assert (found.parameters["name"], found.parameters["starts"]) == ("blocks", (16, 0, 32))


def test_blocks_of_unequal_size() -> None:
    q, k, v = torch.split(X, [32, 8, 8], -1)
    found = repaired(torch.cat([q, v, k], -1), X)
    assert (found.parameters["name"], found.parameters["starts"]) == ("blocks", (0, 40, 32))


def test_the_same_order_within_each_head() -> None:
    order = torch.tensor([2, 0, 3, 1, 5, 4])
    found = repaired(X, X.reshape(2, 7, 8, 6)[..., order].reshape(X.shape))
    assert found.parameters["within"] == 6


def test_two_indices_exchanged() -> None:
    order = torch.arange(48)
    order[[3, 30]] = order[[30, 3]]
    assert repaired(X, X[..., order]).parameters["indices"] == (3, 30)


def test_any_other_permutation() -> None:
    order = torch.randperm(48, generator=torch.Generator().manual_seed(0))
    found = repaired(X, X[..., order])
    assert found.parameters == {"name": "permutation", "axis": 2}


def test_a_long_axis_is_permuted() -> None:
    x = noise(4, 5000)
    order = torch.randperm(5000, generator=torch.Generator().manual_seed(0))
    assert repaired(x, x[:, order]).kind == "permuted"


def test_ids_are_permuted() -> None:
    ids = torch.arange(40).reshape(2, 20).mul(7) % 41
    assert repaired(ids, ids.flip(1)).parameters["name"] == "reversal"


@pytest.mark.parametrize("by", [1, 2, -1])
def test_tokens_shifted_with_zeros_at_the_border(by: int) -> None:
    pad = (0, 0, by, 0) if by > 0 else (0, 0, 0, -by)
    moved = functional.pad(X, pad)
    right = moved[:, :7] if by > 0 else moved[:, -7:]
    found = repaired(X, right)
    assert (found.kind, found.parameters["axis"], found.parameters["by"]) == ("shifted", 1, by)


def test_what_came_in_at_the_border_is_not_judged() -> None:
    right = torch.cat([noise(2, 1, 48, seed=3), X[:, :-1]], 1)
    found = explain(X, right)[0]
    assert found.parameters == {"axis": 1, "by": 1}
    assert found.residual < 1e-6
    assert torch.equal(found.repair(X)[:, 1:], right[:, 1:])


def test_bits_that_are_equally_many_are_no_permutation() -> None:
    assert kinds(noise(1, 64) > 0, (noise(1, 64) > 0)[:, torch.randperm(64)]) == []


def test_the_class_token_last_before_positions_are_added() -> None:
    places = noise(7, 48, seed=5)
    found = repaired(X + places, X.roll(1, 1) + places, {"places": places})
    assert (found.kind, found.terms, found.parameters["name"]) == ("permuted", ("places",), "rotation")
    assert found.text == "permuted along axis 1 before `places` was added: rotated by 6"
