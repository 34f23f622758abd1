"""Settings of a module, of the config and of the routing that differ from the original's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from torch import nn


class Rotated(nn.Module):
    """A hand-written module with settings of every kind."""

    def __init__(self, names: tuple[str, str] = ("rope_theta", "normalize_before")) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 8), nn.Linear(8, 8)
        self.names = names
        setattr(self, names[0], 100.0)
        setattr(self, names[1], True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        theta, first = (getattr(self, name) for name in self.names)
        turned = self.up(x) * torch.cos(torch.arange(8) / theta)
        result: torch.Tensor = self.down(turned.tanh() if first else turned)
        return result


@pytest.mark.parametrize(
    ("name", "value", "code"), [("rope_theta", 50.0, "rope-theta"), ("normalize_before", False, "norm-placement")]
)
def test_a_setting_of_the_same_name_is_tried(name: str, value: Any, code: str) -> None:
    found = diagnosed(informative(Rotated()), lambda port: setattr(port, name, value), noise(2, 5, 8))
    assert proven(found) == [code]


def test_a_setting_of_the_same_meaning_is_tried() -> None:
    ported = informative(Rotated(("rotary_base", "pre_norm")))
    ported.rotary_base = 30.0  # type: ignore[assignment]
    found = findings(informative(Rotated()), ported, noise(2, 5, 8))
    assert proven(found) == ["rope-theta"]
    assert found[0].summary == "rotary_base is 30.0, the original's rope_theta is 100.0"


class Experts(nn.Module):
    """A router and what it chooses, with its settings in the module or in a config."""

    def __init__(self, *, configured: bool) -> None:
        super().__init__()
        self.router, self.down = nn.Linear(8, 6), nn.Linear(6, 8)
        self.config = SimpleNamespace(num_experts_per_tok=2)
        if not configured:
            self.top_k = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count = getattr(self, "top_k", self.config.num_experts_per_tok)
        weights, places = self.router(x).softmax(-1).topk(count, dim=-1)
        result: torch.Tensor = self.down(torch.zeros(*x.shape[:-1], 6).scatter(-1, places, weights))
        return result


def test_the_number_of_experts_is_found_in_a_config() -> None:
    found = findings(informative(Experts(configured=False)), _wrong_config(), noise(2, 5, 8))
    assert proven(found) == ["expert-routing"]
    assert found[0].summary == "config.num_experts_per_tok is 3, modules of the original have 2"


def _wrong_config() -> nn.Module:
    ported = Experts(configured=True)
    ported.config.num_experts_per_tok = 3
    return informative(ported)


def test_the_number_of_experts_is_tried_without_a_setting_of_the_original() -> None:
    class Written(Experts):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weights, places = self.router(x).softmax(-1).topk(2, dim=-1)
            result: torch.Tensor = self.down(torch.zeros(*x.shape[:-1], 6).scatter(-1, places, weights))
            return result

    original = informative(Written(configured=True))
    ported = informative(Experts(configured=False))
    ported.top_k = 4  # type: ignore[assignment]
    assert proven(findings(original, ported, noise(2, 5, 8))) == ["expert-routing"]


def test_a_setting_that_changes_nothing_is_not_blamed() -> None:
    def broken(port: Any) -> None:
        port.top_k = 3
        port.router.weight.zero_()

    found = diagnosed(informative(Experts(configured=False)), broken, noise(2, 5, 8))
    assert "expert-routing" not in proven(found)
