"""A portfile may set a default device: what porting computes for itself stays where the data is."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from porting import capture, open_trace, verify
from porting.comparison import compare_tensors
from porting.stubs.sampling import choose
from porting.tolerance import Tolerance


@pytest.fixture
def pair() -> Iterator[tuple[nn.Module, nn.Module]]:
    """A model and its copy, in a process whose default device has no data."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Conv1d(2, 2, 1), nn.LayerNorm(4))
    torch.set_default_device("meta")
    yield model, copy.deepcopy(model)
    torch.set_default_device(None)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape, device="cpu")


def test_a_model_is_captured_with_sketches_and_noise(pair: tuple[nn.Module, nn.Module], tmp_path: Path) -> None:
    capture(pair[0], (ones(2, 2, 3),), folder=tmp_path / "trace", noise=True, gradients=True)
    trace = open_trace(tmp_path / "trace")
    assert trace.run["noise"] == dict.fromkeys(("float64", "threads", "batch"), "measured")
    assert all(parameter.sketch for module in trace.modules.values() for parameter in module.parameters)


def test_a_port_is_verified_and_its_culprit_found(pair: tuple[nn.Module, nn.Module]) -> None:
    original, ported = pair
    assert verify(original, ported, (ones(2, 2, 3),)).verdict == "match"
    with torch.no_grad():
        ported[1].weight.mul_(1.5)  # type: ignore[index]
    assert [each.ported for each in verify(original, ported, (ones(2, 2, 3),)).culprits] == ["1"]


def test_tensors_that_are_not_finite_are_compared(pair: tuple[nn.Module, nn.Module]) -> None:
    assert pair[0][0].weight.device.type == "cpu"  # type: ignore[index]
    nan = ones(3) * torch.nan
    assert compare_tensors(nan, ones(3), Tolerance()).nonfinite == 3


def test_expected_values_are_sampled(pair: tuple[nn.Module, nn.Module]) -> None:
    assert pair
    assert choose(ones(2, 3, 4), None).channels
