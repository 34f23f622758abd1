from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from tracing import forward_of, hook_count, outputs
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.modeling_outputs import BaseModelOutput

from porting import capture
from porting.runs import Inputs
from porting.trace import Call, Trace, open_trace

X = torch.tensor([[1.0, -2.0, 3.0]])


def by_label(trace: Trace) -> dict[str, Call]:
    return {call.label: call for call in trace.calls}


@pytest.fixture(scope="module")
def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "vocab_size": 32}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=2)).eval()


# What is recorded


def test_an_output_is_as_it_was_when_it_passed() -> None:
    def write(self: Any, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        kept = self.second(h)
        h += kept
        h.view(-1)[0] = 100
        h.data.mul_(2)
        return self.act(h)  # type: ignore[no-any-return]

    parts = {"first": nn.Identity(), "second": nn.Identity(), "act": nn.ReLU(inplace=True)}
    found = outputs(capture(forward_of(write, **parts), (X,)))
    assert found["first"] == found["second"] == [X.tolist()]
    assert found["act"] == found[""] == [[[200.0, 0.0, 12.0]]]


def test_an_input_is_as_it_was_when_it_came() -> None:
    trace = capture(forward_of(lambda self, x: self.act(x), act=nn.ReLU(inplace=True)), (X,))
    (call,) = [call for call in trace.calls if call.path == "act"]
    assert [trace.tensor(leaf).tolist() for leaf in call.inputs.leaves] == [X.tolist()]
    assert [leaf.name for leaf in call.inputs.leaves] == ["input"]


@pytest.mark.parametrize("shape", [(3,), ()])
def test_a_reused_buffer_is_recorded_each_time(shape: tuple[int, ...]) -> None:
    buffer = torch.zeros(shape)
    step = forward_of(lambda self, value: buffer.fill_(value))
    trace = capture(forward_of(lambda self: [self.step(v) for v in (0.0, -0.0, 2.0, 2.0)], step=step), {})
    keys = [call.outputs.leaves[0].tensor for call in trace.calls if call.path == "step"]
    values = [str(trace.tensors[str(key)].flatten()[0].item()) for key in keys]
    assert values == ["0.0", "-0.0", "2.0", "2.0"]
    assert len(set(keys)) == 3


def test_views_are_recorded_as_what_they_show() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    trace = capture(forward_of(lambda self, x: (x.T, x[:, 1], x.expand(2, 2, 3))), (x,))
    assert outputs(trace)[""] == [x.T.tolist(), x[:, 1].tolist(), [x.tolist()] * 2]
    assert [leaf.strides for leaf in trace.outputs.leaves] == [(1, 3), (3,), (0, 3, 1)]


def test_identical_content_is_kept_once_while_it_passes() -> None:
    trace = capture(nn.Sequential(nn.Identity(), nn.Identity()), (X,))
    keys = {leaf.tensor for call in trace.calls for leaf in (*call.inputs.leaves, *call.outputs.leaves)}
    assert len(keys) == 1


def test_a_module_called_again_gets_a_number() -> None:
    model = forward_of(lambda self, x: self.layer(self.layer(self.layer(x))), layer=nn.Sequential(nn.ReLU()))
    trace = capture(model, (X,))
    assert [call.label for call in trace.calls] == [
        "",
        "layer",
        "layer.0",
        "layer#1",
        "layer.0#1",
        "layer#2",
        "layer.0#2",
    ]
    assert [trace.calls[call.parent].label for call in trace.calls[1:] if call.parent is not None] == [
        "",
        "layer",
        "",
        "layer#1",
        "",
        "layer#2",
    ]
    assert [call.label for call in trace.completed][-3:] == ["layer.0#2", "layer#2", ""]


def test_a_shared_module_goes_by_its_first_name() -> None:
    shared = nn.Linear(3, 3)
    trace = capture(forward_of(lambda self, x: self.two(self.one(x)), one=shared, two=shared), (X,))
    assert [call.label for call in trace.calls] == ["", "one", "one#1"]
    assert trace.modules["two"].alias_of == "one"


def test_every_outermost_call_is_a_step() -> None:
    def run(model: nn.Module, inputs: Inputs) -> list[Any]:
        return [model(*inputs.args), model(*inputs.args), model(*inputs.args)]

    trace = capture(nn.Sequential(nn.ReLU()), (X,), run=run)
    assert [call.label for call in trace.calls] == ["", "0", "@1", "0@1", "@2", "0@2"]
    assert [call.key for call in trace.calls][2:4] == [(1, "", 0), (1, "0", 0)]
    assert len(trace.outputs.leaves) == 3


def test_the_steps_of_a_generation_are_recorded(llama: LlamaForCausalLM) -> None:
    def run(model: Any, inputs: Inputs) -> Any:
        return model.generate(**inputs.kwargs, max_new_tokens=3, do_sample=False, pad_token_id=0)

    ids = torch.tensor([[1, 5, 7]])
    trace = capture(llama, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, run=run)
    steps = [call for call in trace.calls if call.path == ""]
    assert [call.step for call in steps] == [0, 1, 2]
    logits = [next(leaf.shape for leaf in call.outputs.leaves if leaf.name == "logits") for call in steps]
    assert [shape and shape[0] for shape in logits] == [1, 1, 1]
    assert trace.tensor(trace.outputs.leaves[0]).shape == (1, 6)


def test_a_growing_cache_is_recorded_as_it_was(llama: LlamaForCausalLM) -> None:
    cache = DynamicCache(config=llama.config)
    trace = capture(llama, {"input_ids": torch.tensor([[1, 5, 7]]), "past_key_values": cache})

    def lengths(value: Any) -> dict[str, int]:
        found = {leaf.name: leaf.shape for leaf in value.tensor_leaves()}
        return {name: shape[-2] for name, shape in found.items() if "past_key_values" in name and shape}

    calls = by_label(trace)
    assert lengths(calls["model.layers.0.self_attn"].inputs) == {}
    assert lengths(calls["model.layers.1.self_attn"].inputs) == {
        "past_key_values.layers.0.keys": 3,
        "past_key_values.layers.0.values": 3,
    }
    assert len(lengths(trace.outputs)) == 4
    assert cache.get_seq_length() == 0


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


UNRECORDED: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "meta": (lambda: X.to("meta"), "no data (on meta)"),
    "coo": (lambda: X.to_sparse(), "sparse_coo tensor"),
    "csr": (lambda: X.to_sparse_csr(), "sparse_csr tensor"),
    "nested": (lambda: torch.nested.nested_tensor([X[0], X[0, :2]]), "nested tensor"),
    "jagged": (lambda: torch.nested.nested_tensor([X[0], X[0, :2]], layout=torch.jagged), "nested tensor"),
    "quantized": (lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8), "quantized tensor"),
    "mkldnn": (lambda: X.to_mkldnn(), "_mkldnn tensor"),
    "complex128": (lambda: X.to(torch.complex128), "complex128 tensor"),
    "bits": (lambda: torch.zeros(2, dtype=torch.uint8).view(torch.bits8), "bits8 tensor"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", UNRECORDED)
def test_what_cannot_be_recorded_says_why(kind: str, tmp_path: Path) -> None:
    make, reason = UNRECORDED[kind]
    trace = capture(forward_of(lambda self: make()), {}, folder=tmp_path / "trace")
    for found in (trace, open_trace(tmp_path / "trace")):
        assert [leaf.type_name for leaf in found.outputs.leaves] == [f"not recorded: {reason}"]


def test_a_generator_is_not_consumed() -> None:
    def pieces(self: Any, x: torch.Tensor) -> Iterator[torch.Tensor]:
        yield from x

    trace = capture(forward_of(lambda self, x: torch.stack(list(self.part(x))), part=forward_of(pieces)), (X,))
    assert by_label(trace)["part"].outputs.leaves[0].type_name == "generator"
    assert outputs(trace)[""] == [X.tolist()]


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


def test_deep_trees_that_run_can_be_captured() -> None:
    model: nn.Module = nn.Linear(3, 3)
    for _ in range(300):
        model = nn.Sequential(model)
    trace = capture(model, (X,))
    assert len(trace.calls) == len(trace.completed) == 301
    assert trace.calls[-1].path == ".".join("0" * 300)


def test_odd_names_survive(tmp_path: Path) -> None:
    odd = ["a/b", "con", "line\nbreak", "\ud800", "\u202e", "x" * 300, "..", "É", "E\u0301", "a b"]
    model = nn.ModuleDict({name: nn.Linear(3, 3) for name in odd if "." not in name})
    capture(model, (X,), run=lambda model, inputs: [part(X) for part in model.children()], folder=tmp_path / "trace")
    assert [call.path for call in open_trace(tmp_path / "trace").calls] == [name for name in odd if "." not in name]


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


def test_no_graph_is_held() -> None:
    x = X.clone().requires_grad_()
    trace = capture(nn.Linear(3, 3), (x,))
    assert not any(tensor.requires_grad or tensor.grad_fn for tensor in trace.tensors.values())


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
