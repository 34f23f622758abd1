"""Computing in lower precision than the original."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from torch import nn

Forward = Callable[[torch.Tensor], torch.Tensor]


def model() -> nn.Module:
    return informative(nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8)))


def cast_result(forward: Forward, x: torch.Tensor) -> torch.Tensor:
    return forward(x).half().float()


def cast_argument(forward: Forward, x: torch.Tensor) -> torch.Tensor:
    return forward(x.to(torch.bfloat16).to(torch.float32))


def under_autocast(forward: Forward, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return forward(x).float()


@pytest.mark.parametrize("way", [cast_result, cast_argument, under_autocast])
def test_half_precision_on_the_way_is_found(way: Callable[[Forward, torch.Tensor], torch.Tensor]) -> None:
    def broken(port: Any) -> None:
        forward = port[2].forward
        port[2].forward = lambda x: way(forward, x)

    found = diagnosed(model(), broken, noise(6, 8))
    assert proven(found) == ["compute-dtype"]
    assert "float16" in found[0].summary


def test_a_result_that_only_the_original_rounds_is_found() -> None:
    original, ported = model(), model()
    forward = original[2].forward  # type: ignore[index]
    original[2].forward = lambda x: forward(x).bfloat16().float()  # type: ignore[index]
    found = findings(original, ported, noise(6, 8))
    assert proven(found) == ["compute-dtype"]
    assert "the original's is rounded to bfloat16" in found[0].summary


def test_a_coarse_weight_is_no_lower_precision() -> None:
    found = diagnosed(model(), lambda port: port[2].weight.copy_(port[2].weight.bfloat16()), noise(6, 8))
    assert "compute-dtype" not in proven(found)
