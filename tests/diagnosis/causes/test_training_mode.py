"""Dropout and batch statistics that are on where they should be off."""

from __future__ import annotations

from typing import Any

import torch
from diagnosed import diagnosed, informative, noise, proven
from torch import nn
from torch.nn import functional


def model() -> nn.Module:
    return informative(nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.2), nn.BatchNorm1d(8), nn.Linear(8, 8)))


def test_a_dropout_in_training_mode_is_put_out_of_it() -> None:
    found = diagnosed(model(), lambda port: port[1].train(), noise(6, 8))
    assert proven(found) == ["dropout-active"]
    assert found[0].summary == "Dropout is in training mode: dropout is active"


def test_batch_statistics_are_told_from_dropout() -> None:
    assert proven(diagnosed(model(), lambda port: port[2].train(), noise(6, 8))) == ["batch-norm-training"]


def test_a_whole_model_in_training_mode_is_said_to_be() -> None:
    found = diagnosed(model(), lambda port: port.train(), noise(6, 8))
    assert found[0].fix == "call model.eval() after loading"


def test_a_dropout_function_without_its_flag_is_found() -> None:
    def broken(port: Any) -> None:
        forward = port[3].forward
        port[3].forward = lambda x: functional.dropout(forward(x), 0.3)

    found = diagnosed(model(), broken, noise(6, 8))
    assert proven(found) == ["dropout-active"]
    assert "the code calls dropout" in found[0].summary


class Attention(nn.Module):
    """Attention that drops weights if it is told to."""

    dropout = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        mixed = functional.scaled_dot_product_attention(query, key, value, None, self.dropout, is_causal=True)
        result: torch.Tensor = self.out(mixed)
        return result


def test_dropout_of_attention_weights_is_found() -> None:
    found = diagnosed(informative(Attention()), lambda port: setattr(port, "dropout", 0.3), noise(2, 5, 8))
    assert proven(found) == ["dropout-active"]


def test_the_mode_is_not_blamed_for_another_bug() -> None:
    def broken(port: Any) -> None:
        port[0].train()
        port[0].weight.copy_(noise(8, 8))

    assert "dropout-active" not in proven(diagnosed(model(), broken, noise(6, 8)))
