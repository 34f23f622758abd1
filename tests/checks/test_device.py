"""Tensors that stay behind on another device are found without that device, with the module and the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from checked import context_with, result_of
from torch import nn

from porting.checks import CheckResult

NAME = "check_follows_device"


class Block(nn.Module):
    """Adds places to what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.register_buffer("scale", torch.ones(4))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = (hidden + self.table(self.places(hidden))) * self.scale
        return result

    def places(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.arange(hidden.shape[1], device=hidden.device)


class WithoutDevice(Block):
    def places(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.arange(hidden.shape[1])


class OnTheCpu(Block):
    def places(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.arange(hidden.shape[1], device="cpu")


class PlainTensor(Block):
    def __init__(self) -> None:
        super().__init__()
        self.factors = torch.full((4,), 2.0)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden) * self.factors


class MovesItself(PlainTensor):
    """Says itself how its plain tensor is moved."""

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.factors = fn(self.factors)
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class ReturnsOnTheCpu(Block):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        super().forward(hidden)
        return torch.zeros(hidden.shape)


class ReadsData(Block):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden) if float(hidden.sum()) > 0 else hidden


class WithAutocast(Block):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device_type=hidden.device.type, enabled=False):
            return super().forward(hidden)


class Port(nn.Module):
    def __init__(self, block: type[Block]) -> None:
        super().__init__()
        self.first, self.second = Block(), block()

    def forward(self, hidden: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"result": self.second(self.first(hidden))}


def checked(block: type[Block], folder: Path) -> CheckResult:
    model = Port(block).eval()
    hidden = torch.ones(2, 5, 4)
    context = context_with(folder, ported=lambda: model, inputs=lambda: {"hidden": hidden})
    result = result_of(NAME, context)
    assert all(tensor.device.type == "cpu" for tensor in model.state_dict().values())
    return result


LEFT = (WithoutDevice, OnTheCpu, PlainTensor)


@pytest.mark.parametrize("block", LEFT)
def test_a_tensor_that_stays_behind_is_named(block: type[Block], tmp_path: Path) -> None:
    result = checked(block, tmp_path)
    assert result.status == "failed"
    assert result.message.startswith("second")
    assert "test_device.py:" in result.message


def test_an_output_on_another_device_is_named(tmp_path: Path) -> None:
    result = checked(ReturnsOnTheCpu, tmp_path)
    assert result.status == "failed"
    assert result.message.startswith("result: a tensor stayed behind")


@pytest.mark.parametrize("block", [Block, MovesItself, WithAutocast])
def test_a_port_that_follows_passes(block: type[Block], tmp_path: Path) -> None:
    result = checked(block, tmp_path)
    assert result.status == "passed"
    assert result.figures["fake"] == result.figures["meta"] == "every tensor followed"
    assert torch.accelerator.is_available() or result.figures["gpu"] == "no GPU here"


def test_what_torch_cannot_do_without_data_is_no_failure(tmp_path: Path) -> None:
    if torch.accelerator.is_available():
        pytest.skip("a real device decides here")
    result = checked(ReadsData, tmp_path)
    assert (result.status, "torch cannot run the port without data" in result.message) == ("skipped", True)
