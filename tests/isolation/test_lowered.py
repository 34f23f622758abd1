"""A lower precision than the tensors have is a fault of the port, unless the original computes in it, too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from porting import Verification, verify
from porting.noise.lowered import on_low_grid
from porting.runs import Inputs

LOW = torch.bfloat16


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = self.down(functional.gelu(self.up(self.norm(x))))
        return x + h


class UnderAutocast(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=LOW):
            return super().forward(x)


class GlueUnderAutocast(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm(x)
        with torch.autocast("cpu", dtype=LOW):
            h = (h @ torch.eye(32)).float()
        after: torch.Tensor = self.down(functional.gelu(self.up(h)))
        return x + after


class Cast(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = self.down(functional.gelu(self.up(self.norm(x)).to(LOW)).float())
        return x + h


class Narrow(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).to(LOW)


class LinearUnderAutocast(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=LOW):
            return super().forward(x).float()


class CastLinear(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x.to(LOW), self.weight.to(LOW), self.bias.to(LOW)).float()


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 32)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.head = nn.Linear(32, 50)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x).to(self.head.weight.dtype)
        out: torch.Tensor = self.head(x)
        return out


LOWERED = {
    "a block under autocast": (UnderAutocast, "blocks.1"),
    "a product in a block's own code": (GlueUnderAutocast, "blocks.1"),
    "a cast in a block": (Cast, "blocks.1"),
    "a narrow result": (Narrow, "blocks.1"),
    "a layer under autocast": (LinearUnderAutocast, "blocks.1.up"),
    "a cast in a layer": (CastLinear, "blocks.1.up"),
    "the last layer": (LinearUnderAutocast, "head"),
}
INPUTS = {"ids": torch.arange(24).reshape(2, 12)}


def lowered(name: str | None) -> nn.Module:
    torch.manual_seed(0)
    model = Small().eval()
    if name is not None:
        kind, path = LOWERED[name]
        model.get_submodule(path).__class__ = kind
    return model


def causes(verification: Verification) -> list[tuple[str, list[tuple[str, bool]]]]:
    return [(each.ported, [(c.code, c.verified) for c in each.causes]) for each in verification.culprits]


@pytest.mark.parametrize("name", LOWERED)
def test_a_lower_precision_in_the_port_is_found_where_it_begins(name: str) -> None:
    verification = verify(lowered(None), lowered(name), INPUTS)
    assert verification.verdict != "match"
    assert causes(verification)[0] == (LOWERED[name][1], [("compute-dtype", True)])
    elsewhere = [culprit.ported for culprit in verification.culprits[1:]]
    assert elsewhere == ([""] if name == "a narrow result" else [])  # whose code goes on with what is narrow


@pytest.mark.parametrize("name", LOWERED)
def test_the_same_lower_precision_on_both_sides_is_no_fault(name: str) -> None:
    verification = verify(lowered(name), lowered(name), INPUTS)
    assert (verification.verdict, causes(verification)) == ("match", [])


def under_autocast(model: nn.Module, inputs: Inputs) -> Any:
    with torch.autocast("cpu", dtype=LOW):
        return inputs.forward(model)


def test_an_autocast_around_the_port_alone_is_a_fault_of_the_run() -> None:
    verification = verify(lowered(None), lowered(None), INPUTS, run_ported=under_autocast)
    assert causes(verification) == [("", [("compute-dtype", True)])]
    both = verify(lowered(None), lowered(None), INPUTS, run_original=under_autocast, run_ported=under_autocast)
    assert (both.verdict, both.culprits) == ("match", ())


def test_a_port_in_half_precision_rounds_as_its_tensors_do() -> None:
    verification = verify(lowered(None), lowered(None).bfloat16(), INPUTS)
    assert [culprit.ported for culprit in verification.culprits if culprit.ported.startswith("blocks")] == []


def test_the_values_of_a_half_precision_dtype_are_told_from_masks() -> None:
    values = torch.linspace(-3, 3, 100)
    assert not on_low_grid(values)
    assert on_low_grid(values.bfloat16().float())
    assert on_low_grid(values.half().float())
    assert not on_low_grid((values > 0).float())
    assert not on_low_grid(torch.where(values > 0, 0.0, -torch.inf))
    assert not on_low_grid(torch.empty(0))
