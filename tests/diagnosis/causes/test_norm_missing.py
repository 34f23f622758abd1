"""A norm that is not applied, or where there should be none."""

from __future__ import annotations

import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from torch import nn


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.norm, self.down = nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.down(self.norm(self.up(x)))
        return result


class Without(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.down(self.up(x))
        return result


def test_an_identity_for_a_norm_is_found() -> None:
    found = diagnosed(informative(Block()), lambda port: setattr(port, "norm", nn.Identity()), noise(4, 6, 8))
    assert proven(found) == ["missing-norm"]
    assert found[0].summary == "no norm is applied there, the original applies norm"


def test_a_norm_that_is_never_called_is_found() -> None:
    assert proven(findings(informative(Block()), informative(Without()), noise(4, 6, 8))) == ["missing-norm"]


def test_a_norm_too_many_is_found() -> None:
    ported = informative(Block())
    original = informative(Without())
    original.load_state_dict(ported.state_dict())
    assert proven(findings(original, ported, noise(4, 6, 8))) == ["norm-placement"]


def test_an_identity_for_a_linear_layer_is_no_missing_norm() -> None:
    found = diagnosed(informative(Block()), lambda port: setattr(port, "down", nn.Identity()), noise(4, 6, 8))
    assert "missing-norm" not in proven(found)
