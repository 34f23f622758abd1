"""Whose fault a difference is, where the code between two compared places is of several modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from porting import capture
from porting.alignment import align
from porting.isolation.isolating import Isolation, isolate
from porting.runs import Inputs


def isolated(original: nn.Module, ported: nn.Module, x: torch.Tensor) -> Isolation:
    one, other = capture(original.eval(), (x,)), capture(ported.eval(), (x,))
    return isolate(ported, Inputs((x,)), one, other, align(one, other))


def blamed(isolation: Isolation) -> list[str | None]:
    return list(dict.fromkeys(o.blamed for o in isolation.observations if o.above_noise))


class Mixing(nn.Module):
    """Mixes positions with weights that come from outside, as a mask or a table of angles does."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.out = nn.Linear(6, 6), nn.Linear(6, 6)
        self.times = 1.0

    def forward(self, x: torch.Tensor, table: torch.Tensor | None = None) -> torch.Tensor:
        weights = torch.ones(4, 4).tril() if table is None else table
        result: torch.Tensor = self.out(weights @ self.value(x) * self.times)
        return result


class Stack(nn.Module):
    def __init__(self, *, given: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(Mixing() for _ in range(3))
        self.given = given

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        table = torch.ones(4, 4).tril() if self.given else None
        for layer in self.layers:
            x = layer(x, table)
        return x


@pytest.mark.parametrize("wrong", [(0,), (1,), (0, 2)])
def test_what_right_layers_use_is_not_at_fault_in_the_wrong_ones(wrong: tuple[int, ...]) -> None:
    ported: Any = Stack(given=True)
    for number in wrong:
        ported.layers[number].times = 2.0
    isolation = isolated(Stack(given=False), ported, torch.randn(2, 4, 6))
    assert blamed(isolation) == [f"layers.{number}" for number in wrong]
    assert isolation.unfed == ()


class Adding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.keep = nn.Linear(6, 6), 1.0

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.linear(x) + residual * self.keep
        return result


class Flat(nn.Module):
    """A stack without modules for its layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norms = nn.ModuleList(nn.LayerNorm(6) for _ in range(3))
        self.linears = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, linear in zip(self.norms, self.linears, strict=True):
            x = x + linear(norm(x))
        result: torch.Tensor = self.head(x)
        return result


class Nested(nn.Module):
    """The same with a module for each residual connection, which the original does not have."""

    def __init__(self) -> None:
        super().__init__()
        like = Flat()
        self.norms, self.head = like.norms, like.head
        self.adding = nn.ModuleList(Adding() for _ in range(3))
        for adding, linear in zip(self.adding, like.linears, strict=True):
            adding.linear = linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, adding in zip(self.norms, self.adding, strict=True):
            x = adding(norm(x), x)
        result: torch.Tensor = self.head(x)
        return result


@pytest.mark.parametrize("wrong", [(), (0,), (2,), (0, 1), (0, 2), (0, 1, 2)])
def test_faults_along_a_chain_that_is_not_fed_are_told_apart(wrong: tuple[int, ...]) -> None:
    ported: Any = Nested()
    for number in wrong:
        ported.adding[number].keep = 0.5
    isolation = isolated(Flat(), ported, torch.randn(2, 4, 6))
    assert blamed(isolation) == [f"adding.{number}" for number in wrong]


def test_an_activation_unlike_those_of_other_layers_comes_before_the_code_around_it() -> None:
    class Gate(nn.Module):
        def __init__(self, act: Callable[[torch.Tensor], torch.Tensor]) -> None:
            super().__init__()
            self.up, self.down, self.act = nn.Linear(6, 6), nn.Linear(6, 6), act

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = x + self.down(self.act(self.up(x)) * x)
            return result

    def stack(*acts: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(*(Gate(act) for act in acts))

    ported = stack(nn.SiLU(), nn.ReLU(), nn.SiLU())
    isolation = isolated(stack(*[nn.functional.silu] * 3), ported, torch.randn(2, 6))
    assert blamed(isolation) == ["1.act"]
    suspects = next(o.suspects for o in isolation.observations if o.above_noise)
    assert suspects == ("1.act", "1")


class InPlace(nn.Module):
    def __init__(self, *, inplace: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.relu, self.last = nn.Linear(6, 6), nn.ReLU(inplace=inplace), nn.Linear(6, 6)
        self.times = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x) * 1.5
        y = self.relu(x)
        result: torch.Tensor = self.last((x if self.relu.inplace else y) * self.times)
        return result


def test_a_caller_that_goes_on_with_what_a_module_wrote_is_not_at_fault() -> None:
    x = torch.randn(2, 6)
    assert blamed(isolated(InPlace(inplace=False), InPlace(inplace=True), x)) == []


def test_a_fault_in_what_a_caller_does_with_it_is_the_callers() -> None:
    ported = InPlace(inplace=True)
    ported.times = 2.0
    assert blamed(isolated(InPlace(inplace=False), ported, torch.randn(2, 6))) == [""]


class Picking(nn.Module):
    def __init__(self, *, buffer: bool = False) -> None:
        super().__init__()
        table = torch.arange(12.0).view(6, 2) / 7
        if buffer:
            self.register_buffer("table", table)
        else:
            self.table = nn.Parameter(table)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = self.table[ids]
        return torch.cat([rows, rows.flip(-1)], -1).transpose(1, 2).reshape(2, -1)


class Twice(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


@pytest.mark.parametrize(("buffer", "floored"), [(False, False), (True, True)])
def test_a_module_that_only_moves_elements_does_not_round(buffer: bool, floored: bool) -> None:
    """Unless it takes them from a table that each side computes for itself."""
    original, ported = (nn.Sequential(Picking(buffer=buffer), Twice()) for _ in range(2))
    with torch.no_grad():
        ported.get_submodule("0").table.mul_(1 + 1e-7)  # type: ignore[operator]
    isolation = isolated(original, ported, torch.tensor([[0, 3, 5], [1, 2, 4]]))
    floors = {o.ported.path: o.floor.max_abs for o in isolation.observations if o.where == "output"}
    assert bool(floors["0"]) is floored
    assert floors["1"] > 0
    assert blamed(isolation) == ([] if floored else ["0"])


def test_what_makes_indices_is_named_after_what_computes_with_them() -> None:
    class Angles(nn.Module):
        def __init__(self, base: float) -> None:
            super().__init__()
            self.base = base

        def forward(self, positions: torch.Tensor) -> torch.Tensor:
            return torch.cos(positions * self.base)

    class Turned(nn.Module):
        def __init__(self, *, base: float | None) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(4, 4)
            self.angles = None if base is None else Angles(base)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            positions = torch.arange(4) + 0
            table = torch.cos(positions * 0.5) if self.angles is None else self.angles(positions)
            result: torch.Tensor = self.linear(table)
            return result

    isolation = isolated(Turned(base=None), Turned(base=0.25), torch.randn(4, 4))
    assert [o.suspects for o in isolation.observations if o.above_noise] == [("angles", "")]
