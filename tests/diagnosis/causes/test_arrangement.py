"""The right values in other places."""

from __future__ import annotations

import torch
from gluing import attention, glued, pieced, proven
from torch import nn

ATTENTION = "model.layers.1.self_attn"


def test_heads_merged_without_transposing() -> None:
    assert proven(glued(prepare=attention(lambda heads: heads))) == [(ATTENTION, "head-reshape")]


def test_heads_merged_size_first() -> None:
    assert proven(glued(prepare=attention(lambda heads: heads.permute(0, 2, 3, 1)))) == [(ATTENTION, "head-reshape")]


def test_parts_concatenated_in_another_order() -> None:
    modules = {"one": nn.Linear(8, 6), "two": nn.Linear(8, 10), "last": nn.Linear(16, 8)}
    verification = pieced(
        lambda m, x: m.last(torch.cat([m.one(x), m.two(x)], -1)),
        lambda m, x: m.last(torch.cat([m.two(x), m.one(x)], -1)),
        modules,
        torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(1)),
    )
    assert proven(verification) == [("", "concat-order")]


def test_height_and_width_exchanged() -> None:
    modules = {"conv": nn.Conv2d(3, 4, 1), "last": nn.Conv2d(4, 3, 3)}
    verification = pieced(
        lambda m, x: m.last(m.conv(x)),
        lambda m, x: m.last(m.conv(x).transpose(2, 3)),
        modules,
        torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1)),
    )
    assert proven(verification) == [("", "layout")]


def test_a_shuffle_of_channels_is_no_order_that_is_claimed() -> None:
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    verification = pieced(
        lambda m, x: m.last(m.one(x)),
        lambda m, x: m.last(m.one(x)[..., order]),
        {"one": nn.Linear(8, 16), "last": nn.Linear(16, 8)},
        torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(1)),
    )
    assert verification.culprits
    assert proven(verification) == []
