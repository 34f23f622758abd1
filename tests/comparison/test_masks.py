"""Attention masks that say the same in other words."""

from __future__ import annotations

import math

import pytest
import torch

from porting.comparison.layout import find_mask_layout
from porting.comparison.masks import allowed, like

OPEN = torch.ones(4, 4, dtype=torch.bool).tril()[None, None]


def additive(closed: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(1, 1, 4, 4, dtype=dtype).masked_fill(~OPEN, closed)


@pytest.mark.parametrize("closed", [-1e4, -1e9, -math.inf, torch.finfo(torch.float32).min])
def test_additive_masks_let_the_same_through(closed: float) -> None:
    found = allowed(additive(closed))
    assert found is not None
    assert torch.equal(found, OPEN)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 3, 4),
        torch.zeros(2, 3, 4),
        torch.full((2, 3, 4), -1e30),
        torch.ones(2, 3, dtype=torch.bool),
        torch.ones(2, 3, 4).long(),
    ],
)
def test_other_tensors_are_no_masks(tensor: torch.Tensor) -> None:
    assert allowed(tensor) is None


@pytest.mark.parametrize("model", [OPEN, additive(-1e4), additive(-1e4, torch.bfloat16)])
def test_a_mask_is_fed_in_the_manner_of_the_one_it_replaces(model: torch.Tensor) -> None:
    fed = like(OPEN, model)
    assert fed.dtype == model.dtype
    found = allowed(fed)
    assert found is not None
    assert torch.equal(found, OPEN)


def test_a_mask_that_lets_the_same_through_is_fed_as_it_is() -> None:
    twice = additive(-1e4) + additive(-1e4).tril(1)
    assert torch.equal(like(OPEN, twice), twice)


def test_a_mask_over_keys_fits_one_over_queries_and_keys() -> None:
    over_keys = torch.tensor([0.0, 0.0, -1e4, -1e4]).reshape(1, 1, 1, 4)
    port = torch.tensor([True, True, False, False]).expand(1, 1, 4, 4)
    layout = find_mask_layout(over_keys, port)
    assert layout is not None
    assert torch.equal(layout.apply(over_keys), layout.view(port))
    assert find_mask_layout(port, over_keys) is None


@pytest.mark.parametrize("closed", [-1e9, -math.inf])
def test_a_bias_is_compared_where_it_leaves_positions_open(closed: float) -> None:
    bias = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    original, ported = bias + additive(-1e9), bias + additive(torch.finfo(torch.float32).min)
    layout = find_mask_layout(original.masked_fill(~OPEN, closed), ported)
    assert layout is not None
    assert layout.kind == "bias"
    assert torch.equal(layout.apply(original), layout.view(ported))
    assert torch.equal(layout.feed(original, ported), ported)
    assert not torch.equal(layout.apply(original), layout.view(ported + additive(0).masked_fill(OPEN, 0.1)))


def test_a_bias_is_not_a_mask() -> None:
    bias = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert find_mask_layout(bias, bias) is None
    plain = additive(-1e4).expand(1, 3, 4, 4)
    layout = find_mask_layout(bias + additive(-1e9), plain)
    assert layout is not None
    assert not torch.equal(layout.apply(bias + additive(-1e9)), layout.view(plain))


def test_biases_that_close_alike_are_compared_as_they_are() -> None:
    one, other = (torch.randn(1, 3, 4, 4).masked_fill(~OPEN, -1e9) for _ in range(2))
    assert find_mask_layout(one, other) is None
