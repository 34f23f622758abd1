"""Rotary modules that turn by other frequencies than the original's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, informative, noise, proven
from torch import nn


class Rotary(nn.Module):
    def __init__(self, *, pairs: bool) -> None:
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / 10000 ** (torch.arange(0, 8, 2) / 8), persistent=False)
        self.pairs, self.factor = pairs, 1.0

    def forward(self, x: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        angles = positions[..., None].float() * self.get_buffer("inv_freq")
        angles = angles.repeat_interleave(2, -1) if self.pairs else torch.cat((angles, angles), -1)
        return self.factor * angles.cos(), self.factor * angles.sin()


class Model(nn.Module):
    def __init__(self, *, pairs: bool) -> None:
        super().__init__()
        self.up, self.rotary, self.down = nn.Linear(8, 8), Rotary(pairs=pairs), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        x = self.up(x)
        cos, sin = self.rotary(x, positions)
        result: torch.Tensor = self.down(x * cos + x.roll(4, -1) * sin)
        return result


def broken_by(change: Callable[[Any], None], *, pairs: bool = False) -> Any:
    model = Model(pairs=pairs)
    for linear in (model.up, model.down):
        informative(linear)
    positions = torch.arange(40).expand(2, 40).clone()
    positions[1] = (positions[1] - 6).clamp(min=0)
    return diagnosed(model, lambda port: change(port.rotary), noise(2, 40, 8), positions)


@pytest.mark.parametrize("pairs", [True, False])
def test_another_theta_is_read_off(pairs: bool) -> None:
    found = broken_by(lambda r: r.inv_freq.copy_(1.0 / 500000 ** (torch.arange(0, 8, 2) / 8)), pairs=pairs)
    assert proven(found) == ["rope-theta"]
    assert found[0].summary == "inv_freq makes theta 500000, the original theta 10000"


def test_linear_scaling_is_told_from_another_theta() -> None:
    found = broken_by(lambda r: r.inv_freq.div_(4))
    assert proven(found) == ["rope-theta"]
    assert "frequencies times 0.25, the original theta 10000" in found[0].summary


def test_frequencies_scaled_unevenly_are_found() -> None:
    found = broken_by(lambda r: r.inv_freq[2:].div_(8))
    assert proven(found) == ["rope-theta"]
    assert found[0].summary == "inv_freq makes frequencies scaled unevenly, the original theta 10000"


def test_another_factor_is_found() -> None:
    found = broken_by(lambda r: setattr(r, "factor", 1.3))
    assert proven(found) == ["rope-theta"]
    assert found[0].summary == "inv_freq makes a factor of 1.3, the original 1"


def test_another_layout_is_not_blamed_on_the_frequencies() -> None:
    assert "rope-theta" not in proven(broken_by(lambda r: setattr(r, "pairs", True)))
