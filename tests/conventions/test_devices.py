"""Devices that are written down are found by reading; what asks what there is, is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from porting.conventions.devices import fixed_devices
from porting.conventions.files import Source

METHOD = """
import torch
from torch import nn


class Model(nn.Module):
    def {name}(self, x):
        {text}
"""


def found(text: str, name: str = "forward") -> list[int]:
    source = Source(Path("modeling_first.py"), METHOD.format(name=name, text=text))
    return [line for line, _ in fixed_devices(source)]


@pytest.mark.parametrize(
    "text",
    [
        "return x.cuda()",
        "return x.cuda(0)",
        'return x.to("cuda")',
        'return x.to("cuda:1", torch.float32)',
        'return x.to(device="mps")',
        'return x.to(torch.device("cuda"))',
        'return torch.zeros(2, device="cuda:0")',
        'return torch.arange(4, device=torch.device("cuda", 0))',
        'return x.new_zeros(2, device="xpu")',
        'return x + torch.arange(4, device="cpu")',
        'return x + torch.tensor([1.0], device=torch.device("cpu"))',
    ],
)
def test_a_device_that_is_written_down_is_found(text: str) -> None:
    assert found(text) == [8]


@pytest.mark.parametrize(
    "text",
    [
        "return x.to(self.weight.device)",
        "return torch.zeros(2, device=x.device)",
        "return torch.zeros(2)",
        "return x.cpu().numpy()",
        "return x.cuda(self.weight.device)",
        'return x + torch.arange(4, device="cpu").to(x.device)',
        'return [each for each in torch.arange(4, device="cpu").split(2).tolist()]',
        'return x.to("cpu").numpy()',
        'return torch.cuda.is_available() and x.device.type == "cuda"',
        'return x.to("cuda" if torch.cuda.is_available() else "cpu")',
        "return x.cuda() if torch.cuda.is_available() else x",
        'return (self.accelerator() or torch.device("cuda")).type',
        'return torch.empty(2, device="meta")',
        "return x.to(torch.float16)",
        'return x.to("first")',
        'return self.load(device=None, name="cuda")',
        'return torch.autocast(device_type="cuda", enabled=False)',
        '"""x.to("cuda")"""',
    ],
)
def test_what_follows_asks_or_moves_a_result_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_settings_are_computed_on_the_cpu() -> None:
    text = 'self.rates = torch.linspace(0, 1, 4, device="cpu").tolist()'
    assert found(text, "__init__") == []
    assert found(text.replace(".tolist()", ""), "build_rates") == []
    assert found(text.replace(".tolist()", ""), "forward") == [8]
    assert found('self.table = torch.zeros(2).to("cuda")', "__init__") == [8]
