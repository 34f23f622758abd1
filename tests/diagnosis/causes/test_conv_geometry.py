"""Convolutions that step, pad or spread in another way; borders put on in code; pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from torch import nn
from torch.nn import functional


def chain(middle: nn.Module) -> nn.Module:
    return informative(nn.Sequential(nn.Conv1d(4, 6, 1), middle, nn.Conv1d(6, 4, 1)))


@pytest.mark.parametrize(
    "settings",
    [
        {"padding_mode": "reflect"},
        {"padding": 2, "dilation": 2},
        {"padding": 2, "padding_mode": "circular", "dilation": 2},
    ],
    ids=["mode", "dilation", "several"],
)
def test_other_settings_are_found(settings: dict[str, Any]) -> None:
    original = chain(nn.Conv1d(6, 6, 3, padding=1))
    ported = chain(nn.Conv1d(6, 6, 3, **{"padding": 1, **settings}))
    assert proven(findings(original, ported, noise(2, 4, 20))) == ["conv-geometry"]


def causal(conv: nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv1d(functional.pad(x, (2, 0)), conv.weight, conv.bias)


def replicated(conv: nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv1d(functional.pad(x, (1, 1), mode="replicate"), conv.weight, conv.bias)


@pytest.mark.parametrize("way", [causal, replicated])
def test_another_border_in_code_is_found(way: Callable[[nn.Conv1d, torch.Tensor], torch.Tensor]) -> None:
    def broken(port: Any) -> None:
        port[1].forward = lambda x: way(port[1], x)

    found = diagnosed(chain(nn.Conv1d(6, 6, 3, padding=1)), broken, noise(2, 4, 20))
    assert proven(found) == ["conv-geometry"]
    assert "the original's padding (before, after) of (1, 1) by zeros" in found[0].summary


class Padded(nn.Module):
    """A convolution whose wrapper pads, and takes off what is too much."""

    sides, mode = (2, 0), "reflect"

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.crop = nn.Conv1d(6, 6, 3), Crop()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.crop(self.conv(functional.pad(x, self.sides, mode=self.mode)))
        return result


class Crop(nn.Module):
    last = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., :-1] if self.last else x[..., 1:]


@pytest.mark.parametrize(("name", "value"), [("sides", (1, 1)), ("sides", (0, 2)), ("mode", "replicate")])
def test_a_wrapper_that_pads_in_another_way_is_found(name: str, value: Any) -> None:
    found = diagnosed(chain(Padded()), lambda port: setattr(port[1], name, value), noise(2, 4, 20))
    assert proven(found) == ["conv-geometry"]


def test_cropping_the_other_side_is_found() -> None:
    found = diagnosed(chain(Padded()), lambda port: setattr(port[1].crop, "last", False), noise(2, 4, 20))
    assert proven(found) == ["conv-geometry"]


def test_another_kernel_is_no_geometry() -> None:
    found = diagnosed(chain(Padded()), lambda port: port[1].conv.weight.copy_(noise(6, 6, 3)), noise(2, 4, 20))
    assert "conv-geometry" not in proven(found)
