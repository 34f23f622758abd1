"""The reference-fed run: each module judged on the original's own tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from toys import make_inputs, make_pair

from porting import capture
from porting.alignment import align
from porting.isolation.isolating import Isolation, isolate
from porting.runs import Inputs


def isolated(break_port: Callable[[Any], object] = bool) -> Isolation:
    original, ported = make_pair()
    break_port(ported)
    first, second = make_inputs()
    valid = second["attention_mask"].bool()
    one, other = (
        capture(model, inputs, valid_positions=valid) for model, inputs in ((original, first), (ported, second))
    )
    return isolate(ported, Inputs(kwargs=second), one, other, align(one, other))


def blamed(isolation: Isolation) -> set[str | None]:
    return {observation.blamed for observation in isolation.observations if observation.above_noise}


def test_every_aligned_call_is_judged_at_its_inputs_and_its_output() -> None:
    isolation = isolated()
    places = {(o.ported.path, o.where) for o in isolation.observations}
    assert {("model.layers.1.mlp.down", "input"), ("model.layers.1.mlp.down", "output")} <= places
    assert ("", "output") in places
    assert blamed(isolation) == set()
    assert isolation.noise_measured
    assert isolation.stopped == ""


def test_an_upstream_fault_does_not_reach_the_modules_below() -> None:
    def first_layer(port: Any) -> None:
        nn.init.normal_(port.model.layers[0].mlp.up.weight)

    isolation = isolated(first_layer)
    assert blamed(isolation) == {"model.layers.0.mlp.up"}
    later = [o for o in isolation.observations if o.ported.path.startswith("model.layers.2")]
    assert later
    assert all(o.numbers.max_abs < 1e-5 for o in later)


def test_several_faults_are_found_in_one_run() -> None:
    def three(port: Any) -> None:
        port.model.layers[0].mlp.act = nn.ReLU()
        port.model.layers[1].self_attn.scaling *= 2
        nn.init.normal_(port.lm_head.weight)

    assert blamed(isolated(three)) == {"model.layers.0.mlp.act", "model.layers.1.self_attn", "lm_head"}


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, gate: torch.Tensor | None = None) -> torch.Tensor:
        result: torch.Tensor = self.linear(x)
        return result if gate is None else result * gate


class Gating(nn.Module):
    def __init__(self, gate: float | None) -> None:
        super().__init__()
        self.inner, self.gate = Gated(), gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = None if self.gate is None else torch.full((3,), self.gate)[:1]
        result: torch.Tensor = self.inner(x, gate)
        return result


def isolated_pair(original: nn.Module, ported: nn.Module, x: torch.Tensor) -> Isolation:
    one, other = capture(original.eval(), (x,)), capture(ported.eval(), (x,))
    return isolate(ported, Inputs((x,)), one, other, align(one, other))


@pytest.mark.parametrize(("gate", "unfed"), [(1.0, ()), (2.0, (("inner", "gate"),))])
def test_a_tensor_without_a_counterpart_is_listed_unless_a_right_result_came_of_it(
    gate: float, unfed: tuple[tuple[str, str], ...]
) -> None:
    isolation = isolated_pair(Gating(None), Gating(gate), torch.randn(2, 4))
    assert isolation.unfed == unfed
    assert [o.suspects for o in isolation.observations if o.above_noise] == [("inner", "")] * bool(unfed)


def test_the_models_own_inputs_are_not_its_fault() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.linear(x)
            return result

    one, other = capture(Plain(), (torch.zeros(2, 4),)), capture(Plain(), (torch.ones(2, 4),))
    isolation = isolate(Plain(), Inputs((torch.ones(2, 4),)), one, other, align(one, other))
    assert [(o.where, o.blamed) for o in isolation.observations if o.above_noise] == [("input", None)]
