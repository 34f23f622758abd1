"""Normalised weights: the magnitude forgotten, or the norm taken along another axis."""

from __future__ import annotations

from copy import deepcopy

import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


def signal(dim: int = 0) -> nn.Sequential:
    return nn.Sequential(weight_norm(nn.Conv1d(4, 6, 3), dim=dim), nn.Tanh(), nn.Conv1d(6, 2, 1))


def plain(weight: torch.Tensor, model: nn.Sequential) -> nn.Sequential:
    """The model with a convolution of that weight in the place of the normalised one."""
    bare = nn.Conv1d(4, 6, 3)
    with torch.no_grad():
        bare.weight.copy_(weight)
        bare.get_parameter("bias").copy_(model.get_parameter("0.bias"))
    return nn.Sequential(bare, *deepcopy(list(model)[1:])).eval()


def test_the_direction_taken_for_the_weight() -> None:
    model = informative(signal())
    ported = plain(model.get_parameter("0.parametrizations.weight.original1"), model)  # type: ignore[arg-type]
    assert proven(findings(model, ported, noise(2, 4, 9))) == ["weight-norm"]


def test_a_folded_weight_is_right() -> None:
    model = informative(signal())
    ported = plain(model.get_submodule("0").weight, model)  # type: ignore[arg-type]
    assert findings(model, ported, noise(2, 4, 9)) == ()


def test_the_norm_along_another_axis() -> None:
    model, ported = informative(signal(2)), informative(signal(0))
    with torch.no_grad():
        name = "0.parametrizations.weight.original1"
        ported.get_parameter(name).copy_(model.get_parameter(name))
        ported.get_parameter("0.parametrizations.weight.original0").copy_(
            model.get_parameter(name).norm(dim=(1, 2), keepdim=True)
        )
        for each in ("0.bias", "2.weight", "2.bias"):
            ported.get_parameter(each).copy_(model.get_parameter(each))
    assert proven(findings(model, ported, noise(2, 4, 9))) == ["weight-norm"]


def test_a_magnitude_that_was_not_loaded() -> None:
    def fresh(port: nn.Module) -> None:
        port.get_parameter("0.parametrizations.weight.original0").fill_(1.0)

    assert proven(diagnosed(informative(signal()), fresh, noise(2, 4, 9))) == ["weight-norm"]
