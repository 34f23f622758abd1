"""Torch functions that a module calls itself, told from those of its children that are judged by themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from porting.diagnosis.modules.intercepting import functions_used, intercepted
from porting.diagnosis.scene import Moment
from porting.trace import Call, Value

NOTHING = Value({}, ())


class Child(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x)


class Parent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.child = Child()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.child(torch.tanh(x)) + torch.sigmoid(x)
        return result


def moment(*, judged: bool) -> Moment:
    parent, x = Parent(), torch.ones(3)
    call = Call(1, 0, "child", 0, "Child", 0, NOTHING, NOTHING) if judged else None
    child = Moment((0, "child", 0), parent.child, call, (x,), {}, {"x": x})
    return Moment((0, "", 0), parent, None, (x,), {}, {"x": x}, children=[child])


def test_what_a_judged_child_calls_is_left_out() -> None:
    names = [[used.name for used in functions_used(moment(judged=judged), own=True)] for judged in (False, True)]
    assert [each.count("tanh") for each in names] == [2, 1]
    assert all("sigmoid" in each for each in names)


def test_children_are_left_alone_and_nothing_stays_behind() -> None:
    model, x = Parent(), torch.ones(3)

    def instead(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[0] if function is torch.tanh else function(*args, **kwargs)

    with intercepted(model, instead):
        everywhere = model(x)
    with intercepted(model, instead, but=[model.child]):
        alone = model(x)
    assert torch.equal(everywhere, x + x.sigmoid())
    assert torch.equal(alone, x.tanh() + x.sigmoid())
    assert "forward" not in {**vars(model), **vars(model.child)}
    assert torch.equal(model(x), x.tanh().tanh() + x.sigmoid())
