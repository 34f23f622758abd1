"""Another elementwise function than the original's, as a module and in the code, alone and as a gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from torch import nn
from torch.nn import functional

Function = Callable[[torch.Tensor], torch.Tensor]


class Gated(nn.Module):
    """A gated projection that applies its function in its own code."""

    def __init__(self) -> None:
        super().__init__()
        self.both, self.down = nn.Linear(8, 32), nn.Linear(16, 8)
        self.act: Function = functional.silu
        self.cap: Function = lambda x: x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self.both(x).chunk(2, dim=-1)
        return self.cap(self.down(self.act(gate) * up))


def chain(act: nn.Module) -> nn.Module:
    return informative(nn.Sequential(nn.Linear(8, 16), act, nn.Linear(16, 8)))


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        (nn.GELU(), nn.GELU(approximate="tanh"), "activation"),
        (nn.LeakyReLU(0.2), nn.ReLU(), "activation"),
        (nn.ReLU(), nn.LeakyReLU(0.01), "activation"),
        (nn.ELU(0.5), nn.ELU(), "activation"),
        (nn.SiLU(), nn.Mish(), "activation"),
        (nn.Tanh(), nn.Identity(), "missing-activation"),
        (nn.Identity(), nn.ReLU6(), "missing-activation"),
    ],
)
def test_a_module_with_another_function_is_found(right: nn.Module, wrong: nn.Module, code: str) -> None:
    found = diagnosed(chain(right), lambda port: port.add_module("1", wrong), noise(4, 5, 8))
    assert proven(found) == [code]


def test_constants_are_fitted_and_named() -> None:
    found = diagnosed(chain(nn.LeakyReLU(0.2)), lambda port: port.add_module("1", nn.PReLU(init=0.05)), noise(4, 5, 8))
    assert found[0].summary == "the module computes leaky relu (slope 0.05), the original leaky relu (slope 0.2)"


@pytest.mark.parametrize(("wrong", "code"), [(functional.gelu, "activation"), (torch.clone, "missing-activation")])
def test_a_gate_with_another_function_is_found(wrong: Function, code: str) -> None:
    found = diagnosed(informative(Gated()), lambda port: setattr(port, "act", wrong), noise(4, 5, 8))
    assert proven(found) == [code]
    assert "the first half of output of both" in found[0].summary


@pytest.mark.parametrize("wrong", [lambda x: 2 * torch.tanh(x / 2), lambda x: x], ids=["another", "none"])
def test_a_soft_cap_is_told_from_an_activation(wrong: Function) -> None:
    model = Gated()
    model.cap = lambda x: 3 * torch.tanh(x / 3)
    found = diagnosed(informative(model), lambda port: setattr(port, "cap", wrong), noise(4, 5, 8))
    assert proven(found) == ["softcap"]


class Residual(nn.Module):
    """A function whose result is only one part of what the next module gets."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.gate, self.act, self.down = nn.Linear(8, 8), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.down(self.act(self.up(x)) + x)
        return result


def test_a_function_before_a_sum_is_found_without_a_counterpart() -> None:
    class Functional(Residual):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.down(functional.silu(self.up(x)) + x)
            return result

    original, ported = informative(Functional()), informative(Residual())
    assert proven(findings(original, ported, noise(4, 5, 8))) == ["activation"]


def test_a_scale_is_no_activation() -> None:
    def broken(port: Any) -> None:
        forward = port[1].forward
        port[1].forward = lambda x: 0.5 * forward(x)

    found = diagnosed(chain(nn.ReLU()), broken, noise(4, 5, 8))
    assert not {"activation", "missing-activation", "softcap"} & {cause.code for cause in found}
