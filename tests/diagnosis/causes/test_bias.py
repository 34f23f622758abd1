"""Biases that one side has and the other has not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from seeded import verified
from torch import nn


def test_a_projection_built_without_its_bias() -> None:
    model = informative(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 4)))
    found = diagnosed(model, lambda port: setattr(port[0], "bias", None), noise(3, 6))
    assert proven(found) == ["missing-bias"]
    assert found[0].summary == "0 has no bias, the original adds 0.bias"


def test_a_convolution_built_without_its_bias() -> None:
    model = informative(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 2, 1)))
    assert proven(diagnosed(model, lambda port: setattr(port[0], "bias", None), noise(2, 3, 9, 7))) == ["missing-bias"]


@pytest.mark.parametrize("name", ["q_proj", "v_proj"])
def test_a_part_of_a_fused_projection_without_its_bias(name: str) -> None:
    def broken(port: Any) -> None:
        port.model.layers[1].self_attn.get_submodule(name).bias = None

    first = verified(broken).culprits[0]
    assert (proven(first.causes), first.ported) == (["missing-bias"], f"model.layers.1.self_attn.{name}")


def test_a_bias_that_the_original_does_not_have() -> None:
    torch.manual_seed(0)
    original, ported = nn.Sequential(nn.Linear(6, 4, bias=False)), nn.Sequential(nn.Linear(6, 4))
    ported.load_state_dict(original.state_dict(), strict=False)
    assert proven(findings(original, ported.eval(), noise(3, 6))) == ["not-loaded"]


def test_an_offset_in_the_code_is_no_missing_bias() -> None:
    def broken(port: Any) -> None:
        forward = port[0].forward
        port[0].forward = lambda x: forward(x) + 1

    model = informative(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 4)))
    assert "missing-bias" not in {cause.code for cause in diagnosed(model, broken, noise(3, 6))}
