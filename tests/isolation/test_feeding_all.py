"""Every tensor that an aligned module gets is the original's, or is listed as its own."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn
from transformers import DynamicCache

from porting import capture
from porting.alignment import align
from porting.isolation.isolating import Isolation, isolate
from porting.runs import Inputs


class Inner(nn.Module):
    """Gives back what it finds in its argument, times what it should be, and a second output."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)
        self.second = 1.0

    def forward(self, x: torch.Tensor, state: Any = None, **more: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        found = _first(state) if state is not None else _first(more)
        return self.linear(x) * found, {"router": x.sum(-1) * self.second}


def _first(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, DynamicCache):
        keys: torch.Tensor | None = value.layers[0].keys
        assert keys is not None
        return keys[:, 0]
    return _first(next(iter(value.values())) if isinstance(value, dict) else value[0])


class Outer(nn.Module):
    def __init__(self, kind: str, times: float = 1.0) -> None:
        super().__init__()
        self.inner, self.kind, self.times = Inner(), kind, times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = torch.cos(x) * self.times
        if self.kind == "keyword":
            out, more = self.inner(x, gate=gate)
        else:
            out, more = self.inner(x, held(self.kind, gate))
        result: torch.Tensor = out + more["router"][..., None]
        return result


def held(kind: str, gate: torch.Tensor) -> Any:
    if kind == "cache":
        cache = DynamicCache()
        cache.update(gate[:, None], gate[:, None], 0)
        return cache
    return {
        "tensor": gate,
        "tuple": (gate, None),
        "list of tuples": [(gate,)],
        "dict": {"gate": gate},
        "ordered": OrderedDict(gate={"inner": [gate]}),
    }[kind]


def isolated(original: nn.Module, ported: nn.Module) -> Isolation:
    x = torch.randn(2, 3, 4)
    one, other = capture(original.eval(), (x,)), capture(ported.eval(), (x,))
    return isolate(ported, Inputs((x,)), one, other, align(one, other))


def blamed(isolation: Isolation) -> list[str | None]:
    return list(dict.fromkeys(o.blamed for o in isolation.observations if o.above_noise))


KINDS = ("tensor", "tuple", "list of tuples", "dict", "ordered", "keyword", "cache")


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_tensor_in_any_container_is_its_makers_fault_alone(kind: str) -> None:
    isolation = isolated(Outer(kind), Outer(kind, times=2.0))
    assert blamed(isolation) == [""]
    outputs = [o for o in isolation.observations if o.where == "output" and o.ported.path == "inner"]
    assert len(outputs) == 2
    assert not any(o.above_noise for o in outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_port_feeds_every_container(kind: str) -> None:
    isolation = isolated(Outer(kind), Outer(kind))
    assert (blamed(isolation), isolation.unfed, isolation.stopped) == ([], (), "")


def test_a_later_output_is_judged_too() -> None:
    ported = Outer("tensor")
    ported.inner.second = 1.01
    isolation = isolated(Outer("tensor"), ported)
    assert [(o.blamed, o.leaf) for o in isolation.observations if o.above_noise] == [("inner", "1.router")]


def test_a_module_that_is_called_several_times_is_judged_in_every_call() -> None:
    class Again(nn.Module):
        def __init__(self, wrong: int | None = None) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.shared, self.wrong = nn.Linear(4, 4), wrong

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for number in range(3):
                x = self.shared(x * (2 if number == self.wrong else 1))
            return x

    isolation = isolated(Again(), Again(wrong=1))
    assert [(o.ported.label, o.where, o.blamed) for o in isolation.observations if o.above_noise] == [
        ("shared#1", "input", "")
    ]
