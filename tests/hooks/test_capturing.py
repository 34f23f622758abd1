from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from tracing import forward_of, hook_count, outputs
from transformers.modeling_outputs import BaseModelOutput

from porting import capture
from porting.runs import Inputs
from porting.trace import Call, Trace

X = torch.tensor([[1.0, -2.0, 3.0]])


def by_label(trace: Trace) -> dict[str, Call]:
    return {call.label: call for call in trace.calls}


# What is recorded


def test_an_input_is_as_it_was_when_it_came() -> None:
    trace = capture(forward_of(lambda self, x: self.act(x), act=nn.ReLU(inplace=True)), (X,))
    (call,) = [call for call in trace.calls if call.path == "act"]
    assert [trace.tensor(leaf).tolist() for leaf in call.inputs.leaves] == [X.tolist()]
    assert [leaf.name for leaf in call.inputs.leaves] == ["input"]


def test_views_are_recorded_as_what_they_show() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    trace = capture(forward_of(lambda self, x: (x.T, x[:, 1], x.expand(2, 2, 3))), (x,))
    assert outputs(trace)[""] == [x.T.tolist(), x[:, 1].tolist(), [x.tolist()] * 2]
    assert [leaf.strides for leaf in trace.outputs.leaves] == [(1, 3), (3,), (0, 3, 1)]


def test_identical_content_is_kept_once_while_it_passes() -> None:
    trace = capture(nn.Sequential(nn.Identity(), nn.Identity()), (X,))
    keys = {leaf.tensor for call in trace.calls for leaf in (*call.inputs.leaves, *call.outputs.leaves)}
    assert len(keys) == 1


def test_arguments_go_by_the_names_of_the_forward() -> None:
    class Part(nn.Module):
        def forward(self, x: Any, mask: Any = None, *rest: Any, scale: float = 1.0, **more: Any) -> Any:
            return BaseModelOutput(last_hidden_state=x)

    def forward(self: Any, x: torch.Tensor) -> Any:
        self.part(x=x)
        self.part(x, None, x, x, scale=2.0, flag=True)
        return self.part(mask=x, x=x)

    calls = by_label(capture(forward_of(forward, part=Part()), (X,)))
    assert [leaf.name for leaf in calls["part"].inputs.leaves] == ["x"]
    assert [(leaf.name, leaf.value) for leaf in calls["part#1"].inputs.leaves] == [
        ("x", None),
        ("mask", None),
        ("rest.0", None),
        ("rest.1", None),
        ("scale", 2.0),
        ("flag", True),
    ]
    assert [leaf.name for leaf in calls["part#2"].inputs.leaves] == ["x", "mask"]
    assert [leaf.name for leaf in calls["part#2"].outputs.leaves] == ["last_hidden_state"]


def test_the_inputs_of_the_run_are_named_by_keyword_and_place() -> None:
    model = forward_of(lambda self, x, **more: x)
    trace = capture(model, Inputs((X,), {"mask": None, "pair": (X, 3)}))
    assert [leaf.name for leaf in trace.inputs.leaves] == ["args.0", "mask", "pair.0", "pair.1"]


def test_none_and_numbers_are_leaves() -> None:
    trace = capture(forward_of(lambda self, x: (x, None, {"n": 3, "x": float("-inf")}, object())), (X,))
    assert [(leaf.name, leaf.value, leaf.type_name) for leaf in trace.outputs.leaves[1:]] == [
        ("1", None, None),
        ("2.n", 3, None),
        ("2.x", "-inf", None),
        ("3", None, "object"),
    ]


def test_inputs_can_be_left_out() -> None:
    trace = capture(nn.Linear(3, 3), (X,), record_inputs=False)
    assert trace.calls[0].inputs.leaves[0].tensor is None
    assert trace.calls[0].outputs.leaves[0].tensor is not None
    assert trace.tensor(trace.inputs.leaves[0]).tolist() == X.tolist()


def test_the_run_is_described() -> None:
    trace = capture(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.0).eval()), (X,), side="ported", seed=7)
    assert (trace.run["side"], trace.run["seed"], trace.run["training"]) == ("ported", 7, 2)
    assert trace.run["model"] == "torch.nn.modules.container.Sequential"
    assert [trace.modules[path].training for path in trace.modules] == [True, True, False]


def test_the_seed_decides_what_is_drawn() -> None:
    def drawn(seed: int) -> Any:
        return outputs(capture(nn.Dropout(0.5), (torch.ones(64),), seed=seed))

    assert drawn(1) == drawn(1) != drawn(2)


# Trees


def test_a_tensor_given_twice_is_one_tensor() -> None:
    model = forward_of(lambda self, query, key: torch.tensor(int(query is key)))
    assert outputs(capture(model, (X, X)))[""] == [1]
    assert outputs(capture(model, {"query": X, "key": X}))[""] == [1]
    assert outputs(capture(model, (X, X.clone())))[""] == [0]


def test_parametrized_modules_are_seen_as_themselves() -> None:
    trace = capture(nn.Sequential(weight_norm(nn.Linear(3, 3))), (X,))
    assert [call.path for call in trace.calls] == ["", "0"]
    assert len(trace.modules["0"].parameters) == 3


def test_an_executed_lambda_list_records_what_is_called_only() -> None:
    model = forward_of(lambda self, x: self.used(x), used=nn.Identity(), idle=nn.Identity())
    trace = capture(model, (X,))
    assert [call.path for call in trace.calls] == ["", "used"]
    assert list(trace.modules) == ["", "used", "idle"]


# What is left behind


def test_the_model_is_left_as_it_was_found() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 3).eval())
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    capture(model, (torch.randn(4, 3),))
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert hook_count(model) == 0


def test_a_result_that_is_a_buffer_is_recorded_as_the_run_left_it() -> None:
    norm = nn.BatchNorm1d(3)
    trace = capture(
        forward_of(lambda self, x: (self.norm(x), self.norm.running_mean)[1], norm=norm), (X.repeat(2, 1),)
    )
    (leaf,) = trace.outputs.leaves
    assert trace.tensor(leaf).tolist() == pytest.approx([0.1, -0.2, 0.3])
    assert outputs(trace)[""] == [trace.tensor(leaf).tolist()]


def test_random_states_grad_mode_and_recursion_limit_are_left_alone() -> None:
    import sys

    def state() -> tuple[Any, ...]:
        generator = np.random.get_state(legacy=False)
        return random.getstate(), str(generator), torch.get_rng_state().tolist(), sys.getrecursionlimit()

    before = state()
    capture(forward_of(lambda self: (torch.rand(2), random.random(), np.random.rand())), {})
    assert state() == before
    assert torch.is_grad_enabled()


def test_inputs_written_to_do_not_change_for_the_caller() -> None:
    def write(self: Any, x: torch.Tensor, *, more: list[torch.Tensor]) -> torch.Tensor:
        more[0].add_(1)
        more.append(x)
        return x.zero_()

    x, more = X.clone(), [X.clone()]
    trace = capture(forward_of(write), Inputs((x,), {"more": more}))
    assert x.tolist() == X.tolist()
    assert [each.tolist() for each in more] == [X.tolist()]
    assert [trace.tensor(leaf).tolist() for leaf in trace.inputs.leaves] == [X.tolist()] * 2


def test_hooks_of_the_user_come_first_and_stay() -> None:
    model = nn.Sequential(nn.Identity())
    handles = [
        model[0].register_forward_pre_hook(lambda module, args: (args[0] + 1,)),
        model[0].register_forward_hook(lambda module, args, output: output * 10),
    ]
    trace = capture(model, (X,))
    (call,) = [call for call in trace.calls if call.path == "0"]
    assert [trace.tensor(leaf).tolist() for leaf in call.inputs.leaves] == [(X + 1).tolist()]
    assert outputs(trace)["0"] == [((X + 1) * 10).tolist()]
    assert hook_count(model) == len(handles)


def test_progress_is_told_call_by_call() -> None:
    told: list[tuple[str, int, int]] = []
    capture(nn.Sequential(nn.ReLU(), nn.ReLU()), (X,), progress=lambda *args: told.append(args))
    assert [done for text, done, _ in told if text == "running"] == [1, 2, 3]
