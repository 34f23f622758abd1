"""Fused and rotary projections with their rows in another order than the code takes them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diagnosed import diagnosed, informative, noise, proven
from torch import nn
from torch.nn import functional

from porting.diagnosis.tensors.orders import fused_orders, gate_order, head_counts, rotary_orders

HEADS, SIZE = 2, 6
WIDTH = HEADS * SIZE


class Attention(nn.Module):
    """Fused in blocks; with a rotation in halves."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads = HEADS
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.out(attended(self.qkv(x)))
        return result


class Split(nn.Module):
    """The same in three projections."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads = HEADS
        self.q_proj, self.k_proj, self.v_proj, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.out(attended(torch.cat([self.q_proj(x), self.k_proj(x), self.v_proj(x)], -1)))
        return result


def attended(fused: torch.Tensor) -> torch.Tensor:
    query, key, value = fused.view(*fused.shape[:2], 3, HEADS, SIZE).permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(turned(query), turned(key), value, is_causal=True)
    return mixed.transpose(1, 2).reshape(*fused.shape[:2], WIDTH)


def turned(x: torch.Tensor) -> torch.Tensor:
    angle = torch.arange(x.shape[-2])[:, None] * 0.5 ** torch.arange(SIZE // 2)
    one, other = x.chunk(2, -1)
    return torch.cat([one * angle.cos() - other * angle.sin(), other * angle.cos() + one * angle.sin()], -1)


def by_heads(port: Any) -> None:
    for parameter in port[0].qkv.parameters():
        parameter.data = parameter.data.unflatten(0, (3, HEADS, SIZE)).transpose(0, 1).flatten(0, 2)


def keys_first(port: Any) -> None:
    for parameter in port[0].qkv.parameters():
        query, key, value = parameter.data.chunk(3)
        parameter.data = torch.cat([key, query, value])


def values_before_keys(port: Any) -> None:
    for parameter in port[0].qkv.parameters():
        query, key, value = parameter.data.chunk(3)
        parameter.data = torch.cat([query, value, key])


@pytest.mark.parametrize("bug", [by_heads, keys_first, values_before_keys])
def test_a_fused_projection_in_another_order(bug: Any) -> None:
    model = nn.Sequential(Attention(), nn.Linear(WIDTH, 3))
    assert proven(diagnosed(informative(model), bug, noise(2, 5, WIDTH))) == ["qkv-order"]


def test_rotary_rows_in_pairs() -> None:
    def pairs(port: Any) -> None:
        for layer in (port[0].q_proj, port[0].k_proj):
            for parameter in layer.parameters():
                parameter.data = parameter.data.unflatten(0, (HEADS, 2, SIZE // 2)).transpose(1, 2).flatten(0, 2)

    model = nn.Sequential(Split(), nn.Linear(WIDTH, 3))
    assert proven(diagnosed(informative(model), pairs, noise(2, 5, WIDTH))) == ["rope-layout"]


def test_orders_are_permutations_and_come_in_both_directions() -> None:
    settings = {"num_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "scaling": 0.5, "is_head": True}
    orders = [*fused_orders(48, settings), *gate_order(48), *rotary_orders(48, 4)]
    assert len(orders) > 10
    rows = [tuple(order.rows) for order in orders]
    assert all(sorted(each) == list(range(48)) for each in rows)
    inverse = {tuple(torch.tensor(each).argsort().tolist()) for each in rows}
    assert inverse <= set(rows)


def test_head_counts_come_from_numbers_and_sizes() -> None:
    assert head_counts({"num_heads": 4, "head_dim": 6, "heads": True, "overhead": 0.5, "width": 3}, 24) == [4, 6]
