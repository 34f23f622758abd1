"""Routers that score or normalise in another way than the original's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, informative, noise, proven
from torch import nn


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6, 8))
        self.way: Callable[[torch.Tensor], torch.Tensor] = normalised

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = x @ self.weight.T
        weights = self.way(logits)
        return weights, logits.topk(2, dim=-1).indices


def normalised(logits: torch.Tensor) -> torch.Tensor:
    weights = logits.softmax(-1).topk(2, dim=-1).values
    return weights / weights.sum(-1, keepdim=True)


def plain(logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(-1).topk(2, dim=-1).values


def by_sigmoid(logits: torch.Tensor) -> torch.Tensor:
    weights = logits.sigmoid().topk(2, dim=-1).values
    return weights / weights.sum(-1, keepdim=True)


def scaled(logits: torch.Tensor) -> torch.Tensor:
    return 2.5 * normalised(logits)


class Block(nn.Module):
    """Experts whose weights the block computes itself, or has a gate compute."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.mix, self.router = Gate(), Mix(), nn.Linear(8, 6)
        self.way: Callable[[torch.Tensor], torch.Tensor] = plain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, places = self.gate(x)
        logits = self.router(x)
        other = self.mix(x, self.way(logits), logits.topk(2, dim=-1).indices)
        result: torch.Tensor = other + self.mix(x, weights, places)
        return result


class Mix(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.Parameter(torch.ones(6, 8))

    def forward(self, x: torch.Tensor, weights: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x * (self.experts[places] * weights[..., None]).sum(-2)
        return result


@pytest.mark.parametrize("way", [plain, by_sigmoid, scaled])
def test_a_gate_that_weighs_in_another_way_is_found(way: Callable[[torch.Tensor], torch.Tensor]) -> None:
    found = diagnosed(informative(Block()), lambda port: setattr(port.gate, "way", way), noise(2, 5, 8))
    assert proven(found) == ["expert-routing"]
    assert "the original's softmax scores divided by their sum" in found[0].summary


def test_weights_that_the_code_computes_are_found() -> None:
    found = diagnosed(informative(Block()), lambda port: setattr(port, "way", normalised), noise(2, 5, 8))
    assert proven(found) == ["expert-routing"]


def test_another_matrix_is_no_routing() -> None:
    def broken(port: Any) -> None:
        port.gate.weight.copy_(noise(6, 8))

    assert "expert-routing" not in proven(diagnosed(informative(Block()), broken, noise(2, 5, 8)))
