"""Functions that the code calls where their results are not seen by themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diagnosed import diagnosed, informative, noise, proven
from torch import nn
from torch.nn import functional


class Mixed(nn.Module):
    """A function between a convolution that is no module and a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 8), nn.Linear(8, 8)
        self.kernel = nn.Parameter(torch.ones(8, 1, 3))
        self.act: Callable[[torch.Tensor], torch.Tensor] = functional.silu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = functional.conv1d(self.up(x).transpose(1, 2), self.kernel, padding=1, groups=8)
        result: torch.Tensor = self.down(self.act(mixed).mean(-1))
        return result


@pytest.mark.parametrize(("wrong", "code"), [(functional.gelu, "activation"), (functional.relu, "activation")])
def test_a_function_amid_other_code_is_exchanged(wrong: Callable[..., torch.Tensor], code: str) -> None:
    found = diagnosed(informative(Mixed()), lambda port: setattr(port, "act", wrong), noise(2, 6, 8))
    assert proven(found) == [code]
    assert found[0].summary.endswith("the original silu")


def test_a_function_too_many_is_left_out() -> None:
    model = Mixed()
    model.act = torch.clone
    found = diagnosed(informative(model), lambda port: setattr(port, "act", functional.softplus), noise(2, 6, 8))
    assert proven(found) == ["missing-activation"]


def test_another_kernel_is_no_activation() -> None:
    found = diagnosed(informative(Mixed()), lambda port: port.kernel.copy_(noise(8, 1, 3)), noise(2, 6, 8))
    assert not {"activation", "missing-activation"} & set(proven(found))
