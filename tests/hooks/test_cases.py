"""The cases that recorders get wrong, one test each, named after the case; in memory and on disk."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from tracing import bits, forward_of, hook_count, outputs
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.modeling_outputs import BaseModelOutput

from porting import Trace, capture
from porting.errors import CaptureError
from porting.runs import Inputs
from porting.trace import Call

X = torch.tensor([[1.0, -2.0, 3.0]])
Captured = Callable[..., Trace]


@pytest.fixture(params=["memory", "disk"])
def captured(request: pytest.FixtureRequest, tmp_path: Path) -> Captured:
    """Capture in memory, or to disk and back."""

    def capturing(*arguments: Any, **options: Any) -> Trace:
        return capture(*arguments, folder=tmp_path / "trace" if request.param == "disk" else None, **options)

    return capturing


@pytest.fixture(scope="module")
def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "vocab_size": 32}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=2)).eval()


def by_label(trace: Trace) -> dict[str, Call]:
    return {call.label: call for call in trace.calls}


def labels(trace: Trace) -> list[str]:
    return [call.label for call in trace.calls]


# Memory that changes after it was seen


def test_in_place_operation_after_the_hook(captured: Captured) -> None:
    def write(self: Any, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        kept = self.second(h)
        h += kept
        h.view(-1)[0] = 100
        h.data.mul_(2)
        h.numpy()[0, 1] -= 1
        return self.act(h)  # type: ignore[no-any-return]

    parts = {"first": nn.Identity(), "second": nn.Identity(), "act": nn.ReLU(inplace=True)}
    trace = captured(forward_of(write, **parts), (X,))
    found = outputs(trace)
    assert found["first"] == found["second"] == [X.tolist()]
    assert found["act"] == found[""] == [[[200.0, 0.0, 12.0]]]
    (entering,) = by_label(trace)["act"].inputs.tensor_leaves()
    assert trace.tensor(entering).tolist() == [[200.0, -9.0, 12.0]]


def test_view_of_a_tensor_that_is_written_later(captured: Captured) -> None:
    def write(self: Any, x: torch.Tensor) -> torch.Tensor:
        base = x.clone()
        self.part(base[:, 1:])
        base.zero_()
        return self.part(base[:, 1:])  # type: ignore[no-any-return]

    found = outputs(captured(forward_of(write, part=nn.Identity()), (X,)))
    assert (found["part"], found["part#1"]) == ([[[-2.0, 3.0]]], [[[0.0, 0.0]]])


@pytest.mark.parametrize("shape", [(3,), ()])
def test_reused_buffer(shape: tuple[int, ...], captured: Captured) -> None:
    buffer = torch.zeros(shape)
    step = forward_of(lambda self, value: buffer.fill_(value))
    trace = captured(forward_of(lambda self: [self.step(v) for v in (0.0, -0.0, 2.0, 2.0)], step=step), {})
    keys = [call.outputs.leaves[0].tensor for call in trace.calls if call.path == "step"]
    values = [str(trace.tensors[str(key)].flatten()[0].item()) for key in keys]
    assert values == ["0.0", "-0.0", "2.0", "2.0"]
    assert len(set(keys)) == 3


def test_tensors_that_alias(captured: Captured) -> None:
    x = torch.arange(4.0)
    trace = captured(forward_of(lambda self, x: (x, x, x[:2], x.view(2, 2))), (x,))
    one, same, half, square = trace.outputs.leaves
    assert one.tensor == same.tensor
    assert len({one.tensor, half.tensor, square.tensor}) == 3
    assert [trace.tensor(leaf).tolist() for leaf in (half, square)] == [[0.0, 1.0], [[0.0, 1.0], [2.0, 3.0]]]


# Calls


def test_module_called_several_times(captured: Captured) -> None:
    model = forward_of(lambda self, x: self.layer(self.layer(x)), layer=nn.Sequential(nn.ReLU()))
    trace = captured(model, (X,))
    assert labels(trace) == ["", "layer", "layer.0", "layer#1", "layer.0#1"]
    assert [trace.calls[call.parent or 0].label for call in trace.calls[1:]] == ["", "layer", "", "layer#1"]
    assert [call.label for call in trace.completed] == ["layer.0", "layer", "layer.0#1", "layer#1", ""]


def test_module_under_two_names(captured: Captured) -> None:
    shared = nn.Linear(3, 3)
    trace = captured(forward_of(lambda self, x: self.two(self.one(x)), one=shared, two=shared), (X,))
    assert labels(trace) == ["", "one", "one#1"]
    assert trace.modules["two"].alias_of == "one"


def test_shared_weight_of_two_modules(captured: Captured) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    trace = captured(model, (X,))
    assert [parameter.tied_to for parameter in trace.modules["1"].parameters] == ["0.weight", None]


def test_keyword_only_call(captured: Captured) -> None:
    model = forward_of(lambda self, x: self.part(input=x), part=nn.Identity())
    trace = captured(model, (X,))
    assert [leaf.name for leaf in by_label(trace)["part"].inputs.leaves] == ["input"]


def test_none_leaves(captured: Captured) -> None:
    trace = captured(forward_of(lambda self, x, mask: (x, None, mask)), {"x": X, "mask": None})
    assert [(leaf.name, leaf.value, leaf.tensor is None) for leaf in trace.outputs.leaves] == [
        ("0", None, False),
        ("1", None, True),
        ("2", None, True),
    ]
    assert [leaf.name for leaf in trace.inputs.leaves] == ["x", "mask"]


def test_model_output(captured: Captured) -> None:
    trace = captured(forward_of(lambda self, x: BaseModelOutput(last_hidden_state=x, hidden_states=(x, x))), (X,))
    assert [leaf.name for leaf in trace.outputs.leaves] == ["last_hidden_state", "hidden_states.0", "hidden_states.1"]
    assert trace.outputs.structure["class"] == "BaseModelOutput"


def test_cache_that_grows(captured: Captured, llama: LlamaForCausalLM) -> None:
    cache = DynamicCache(config=llama.config)
    trace = captured(llama, {"input_ids": torch.tensor([[1, 5, 7]]), "past_key_values": cache})

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


def test_generate_is_one_step_per_forward(captured: Captured, llama: LlamaForCausalLM) -> None:
    def run(model: Any, inputs: Inputs) -> Any:
        return model.generate(**inputs.kwargs, max_new_tokens=3, do_sample=False, pad_token_id=0)

    ids = torch.tensor([[1, 5, 7]])
    trace = captured(llama, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, run=run)
    steps = [call for call in trace.calls if call.path == ""]
    assert [call.step for call in steps] == [0, 1, 2]
    lengths = [next(leaf.shape for leaf in call.inputs.leaves if leaf.name == "input_ids") for call in steps]
    assert lengths == [(1, 3), (1, 1), (1, 1)]
    assert trace.tensor(trace.outputs.leaves[0]).shape == (1, 6)


def test_several_forwards_are_several_steps(captured: Captured) -> None:
    def run(model: nn.Module, inputs: Inputs) -> list[Any]:
        return [model(*inputs.args), model(*inputs.args), model(*inputs.args)]

    trace = captured(nn.Sequential(nn.ReLU()), (X,), run=run)
    assert labels(trace) == ["", "0", "@1", "0@1", "@2", "0@2"]
    assert len(trace.outputs.leaves) == 3


def test_generator(captured: Captured) -> None:
    def pieces(self: Any, x: torch.Tensor) -> Iterator[torch.Tensor]:
        yield from x

    trace = captured(forward_of(lambda self, x: torch.stack(list(self.part(x))), part=forward_of(pieces)), (X,))
    assert by_label(trace)["part"].outputs.leaves[0].type_name == "generator"
    assert outputs(trace)[""] == [X.tolist()]


# What hooks do not see


def direct() -> nn.Module:
    """Calls one child's forward directly, uses another's weight, and calls a third one properly."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = self.direct.forward(x) + nn.functional.linear(x, self.used.weight)
        return self.called(x)  # type: ignore[no-any-return]

    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    return forward_of(forward, direct=block, used=nn.Linear(3, 3), called=nn.Identity(), idle=nn.ModuleList())


def test_child_forward_called_directly(captured: Captured) -> None:
    trace = captured(direct(), (X,))
    assert labels(trace) == ["", "direct.0", "direct.1", "called"]
    assert trace.unobserved == ("direct", "used")


def test_functional_use_of_a_childs_weights(captured: Captured) -> None:
    trace = captured(nn.MultiheadAttention(4, 2), (torch.ones(2, 1, 4),) * 3)
    assert labels(trace) == [""]
    assert trace.unobserved == ("out_proj",)


def test_wrapping_forward_as_an_opt_in(captured: Captured) -> None:
    model = direct()
    trace = captured(model, (X,), wrap_forward=True)
    assert labels(trace) == ["", "direct", "direct.0", "direct.1", "called"]
    assert trace.unobserved == ("used",)
    assert all("forward" not in vars(module) for module in model.modules())
    hooked = capture(model, (X,))
    assert outputs(trace)["direct.1"] == outputs(hooked)["direct.1"]


def test_wrapped_forward_that_raises(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2))
    with pytest.raises(CaptureError, match=r"raised in 1 \(Linear\)"):
        capture(model, (X,), wrap_forward=True, folder=tmp_path / "trace")
    assert all("forward" not in vars(module) for module in model.modules())


@pytest.mark.parametrize("wrap", [False, True])
def test_fused_fast_path(wrap: bool, captured: Captured) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    model = nn.TransformerEncoder(layer, num_layers=2).eval()
    mask = torch.tensor([[False, False, True], [False, False, False]])
    trace = captured(model, {"src": torch.ones(2, 3, 8), "src_key_padding_mask": mask}, wrap_forward=wrap)
    assert {"layers.0.self_attn", "layers.1.linear2", "layers.1.norm2"} <= set(labels(trace))
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.filterwarnings("ignore")
def test_compiled_function_inside_a_model(captured: Captured) -> None:
    part = nn.Linear(3, 3)
    compiled = torch.compile(lambda x: part(x) * 2, backend="eager")
    compiled(X)
    trace = captured(forward_of(lambda self, x: compiled(x), part=part), (X,))
    assert labels(trace) == ["", "part"]


def scripted() -> Any:
    return torch.jit.script(nn.Linear(3, 3))


def traced() -> Any:
    return torch.jit.trace(nn.Linear(3, 3), (X,))  # type: ignore[no-untyped-call]


def compiled() -> Any:
    return torch.compile(nn.Linear(3, 3), backend="eager")


def exported() -> Any:
    return torch.export.export(nn.Sequential(nn.Linear(3, 3)), (X,)).module()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [scripted, traced, compiled, exported])
def test_model_that_hooks_cannot_see_into(make: Callable[[], Any], captured: Captured) -> None:
    with pytest.raises(CaptureError, match="hooks do not see inside"):
        captured(make(), (X,))
    with pytest.raises(CaptureError, match=r"^part"):
        captured(forward_of(lambda self, x: self.part(x), part=make()), (X,))


def test_symbolically_traced_module(captured: Captured) -> None:
    trace = captured(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(3, 3), nn.ReLU())), (X,))
    assert labels(trace) == ["", "0", "1"]


# What a run does to the model and the process


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing(reentrant: bool, captured: Captured) -> None:
    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    model = forward_of(lambda self, x: checkpoint(self.block, x, use_reentrant=reentrant), block=block)
    assert labels(captured(model, (X,))) == ["", "block", "block.0", "block.1"]


def test_activation_checkpointing_with_gradients(captured: Captured) -> None:
    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    model = forward_of(lambda self, x: checkpoint(self.block, x, use_reentrant=False), block=block)
    trace = captured(model, (X,), gradients=True)
    assert labels(trace) == ["", "block", "block.0", "block.1"]
    assert trace.modules["block.0"].parameters[0].gradient is not None


def test_train_mode_and_batch_norm_statistics(captured: Captured) -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 3).eval())
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trace = captured(model, (torch.randn(4, 3),))
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == [True, True, True, False]
    assert [module.training for module in trace.modules.values()] == [True, True, True, False]
    assert trace.run["training"] == 3
    assert hook_count(model) == 0


def test_random_state(captured: Captured) -> None:
    before = random.getstate(), torch.get_rng_state().tolist()
    trace = captured(forward_of(lambda self: (torch.rand(2), random.random())), {}, seed=3)
    assert (random.getstate(), torch.get_rng_state().tolist()) == before
    assert outputs(trace) == outputs(captured(forward_of(lambda self: (torch.rand(2), random.random())), {}, seed=3))


def test_autograd_graph_is_not_held(captured: Captured) -> None:
    trace = captured(nn.Linear(3, 3), (X.clone().requires_grad_(),))
    assert not any(tensor.requires_grad or tensor.grad_fn for tensor in trace.tensors.values())
    assert torch.is_grad_enabled()


def test_threads_of_the_model(captured: Captured) -> None:
    both = threading.Barrier(2, timeout=20)

    def part(self: Any, x: torch.Tensor) -> torch.Tensor:
        both.wait()
        return self.inner(x)  # type: ignore[no-any-return]

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        with ThreadPoolExecutor(2) as pool:
            left, right = pool.submit(self.left, x), pool.submit(self.right, x)
            return self.last(left.result() + right.result())  # type: ignore[no-any-return]

    parts = {name: forward_of(part, inner=nn.Linear(3, 3)) for name in ("left", "right")}
    trace = captured(forward_of(forward, **parts, last=nn.Identity()), (X,))
    calls = by_label(trace)
    assert set(calls) == {"", "left", "left.inner", "right", "right.inner", "last"}
    for name in ("left", "right"):
        assert trace.calls[calls[f"{name}.inner"].parent or 0] is calls[name]
        assert calls[f"{name}.inner"].thread == calls[name].thread > 0
        assert calls[name].parent == 0
    assert calls["last"].thread == 0
    assert {call.step for call in trace.calls} == {0}


# Trees and names


def test_deep_tree(captured: Captured) -> None:
    model: nn.Module = nn.Linear(3, 3)
    for _ in range(300):
        model = nn.Sequential(model)
    trace = captured(model, (X,))
    assert len(trace.calls) == len(trace.completed) == 301
    assert trace.calls[-1].path == ".".join("0" * 300)


def test_tree_deeper_than_the_recursion_limit(captured: Captured) -> None:
    top = nn.Module()
    lowest = top
    for _ in range(1500):
        lowest.child = nn.Module()
        lowest = lowest.child
    lowest.leaf = nn.Linear(3, 3)
    trace = captured(top, (X,), run=lambda _, inputs: lowest.leaf(*inputs.args))
    assert [call.path.count(".") for call in trace.calls] == [1500]
    assert len(trace.modules) == 1502


def test_any_name(captured: Captured) -> None:
    odd = ["a/b", "con", "line\nbreak", "\ud800", "\u202e", "x" * 300, "É", "E\u0301", "a b", "#1", "@2", "a:b", "A/B"]
    model = nn.ModuleDict({name: nn.Linear(3, 3) for name in odd})
    trace = captured(model, (X,), run=lambda model, inputs: [part(X) for part in model.children()])
    assert [call.path for call in trace.calls] == odd


# Tensors of every kind

KINDS = {
    "bfloat16": torch.tensor([1.5, -0.0, torch.nan, torch.inf]).bfloat16(),
    "float16": torch.tensor([[6e-8, 65504.0]]).half(),
    "float64": torch.tensor([1e-300], dtype=torch.float64),
    "float8_e4m3fn": torch.tensor([1.0, 448.0]).to(torch.float8_e4m3fn),
    "float8_e5m2": torch.tensor([1.0, 57344.0]).to(torch.float8_e5m2),
    "float8_e8m0fnu": torch.tensor([127, 128], dtype=torch.uint8).view(torch.float8_e8m0fnu),
    "int8": torch.tensor([-128, 127], dtype=torch.int8),
    "int64": torch.tensor([2**63 - 1, -(2**63)]),
    "uint16": torch.tensor([65535], dtype=torch.uint16),
    "bool": torch.tensor([True, False]),
    "complex64": torch.tensor([1 + 2j, complex(-0.0, torch.nan)]),
    "conjugate view": torch.tensor([[1 + 2j, 3 - 4j]]).conj(),
    "negative view": torch.tensor([1 + 2j]).conj().imag,
    "zero elements": torch.zeros(0, 3),
    "zero dimensions": torch.tensor(-0.0),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "expanded": torch.ones(1, 2).expand(3, 2),
    "strided": torch.arange(10.0)[1::3],
    "single element with a stride": torch.arange(4.0)[::4],
    "signalling nan": torch.tensor([0x7FA12345], dtype=torch.int32).view(torch.float32),
    "parameter": nn.Parameter(torch.ones(2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kind_of_tensor(kind: str, captured: Captured) -> None:
    tensor = KINDS[kind]
    trace = captured(forward_of(lambda self: tensor), {})
    (leaf,) = trace.outputs.leaves
    plain = tensor.detach().resolve_conj().resolve_neg()
    assert bits(trace.tensor(leaf)) == bits(plain)
    assert (leaf.shape, f"torch.{leaf.dtype}") == (tuple(tensor.shape), str(tensor.dtype))
    assert leaf.strides == (None if tensor.is_contiguous() else tensor.stride())


class Labelled(torch.Tensor):
    """A subclass that holds its own data."""


def test_subclass_of_tensor_with_data_of_its_own(captured: Captured) -> None:
    trace = captured(forward_of(lambda self, x: x.as_subclass(Labelled)), (X,))
    assert outputs(trace)[""] == [X.tolist()]
    assert type(trace.tensor(trace.outputs.leaves[0])) is torch.Tensor


def fake() -> torch.Tensor:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        return torch.ones(2)


UNRECORDED: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "meta": (lambda: X.to("meta"), "no data (on meta)"),
    "sparse coo": (lambda: X.to_sparse(), "sparse_coo tensor"),
    "sparse csr": (lambda: X.to_sparse_csr(), "sparse_csr tensor"),
    "nested": (lambda: torch.nested.nested_tensor([X[0], X[0, :2]]), "nested tensor"),
    "jagged": (lambda: torch.nested.nested_tensor([X[0], X[0, :2]], layout=torch.jagged), "nested tensor"),
    "quantized": (lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8), "quantized tensor"),
    "mkldnn": (lambda: X.to_mkldnn(), "_mkldnn tensor"),
    "complex128": (lambda: X.to(torch.complex128), "complex128 tensor"),
    "complex32": (lambda: X.to(torch.complex32), "complex32 tensor"),
    "bits": (lambda: torch.zeros(2, dtype=torch.uint8).view(torch.bits8), "bits8 tensor"),
    "fake": (fake, "a FakeTensor, which stands for other tensors"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", UNRECORDED)
def test_kind_of_tensor_that_is_refused_by_name(kind: str, captured: Captured) -> None:
    make, reason = UNRECORDED[kind]
    trace = captured(forward_of(lambda self: make()), {})
    assert [leaf.type_name for leaf in trace.outputs.leaves] == [f"not recorded: {reason}"]
