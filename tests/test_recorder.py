"""The recorder: one file that writes the same trace where porting is not installed."""

from __future__ import annotations

import ast
import asyncio
import copy
import errno
import hashlib
import os
import pickle
import random
import subprocess
import sys
import threading
from collections import UserDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from toys import make_inputs, make_pair
from tracing import forward_of, hook_count
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.modeling_outputs import BaseModelOutput

from porting import Trace, capture, open_trace, recorder, verify
from porting.demo import write_demo
from porting.errors import TraceError
from porting.hooks.selection import Selection
from porting.portfile import Portfile
from porting.trace import save_trace, structure
from porting.trace.bits import as_bytes
from porting.trace.manifest import describe
from porting.trace.shards import Place

SOURCE = Path(recorder.__file__)
ALLOWED = {
    "Tensor", "_C", "__version__", "backends", "cuda", "equal", "finfo", "float32", "float64", "from_numpy",
    "get_default_dtype", "get_num_threads", "get_rng_state", "int16", "jit", "manual_seed", "nn", "no_grad",
    "overrides", "set_default_dtype", "set_num_threads", "set_rng_state", "uint8", "view_as_real",
}  # fmt: skip
"""What it uses of torch; all of it is in torch 1.8. Anything newer it asks for with ``getattr``."""
STANDARD = {
    "contextlib", "copy", "dataclasses", "functools", "hashlib", "inspect", "itertools", "json", "os", "platform",
    "random", "re", "shutil", "sys", "threading", "types", "zlib", "collections", "collections.abc", "fnmatch",
    "typing", "fcntl",
}  # fmt: skip
X = torch.tensor([[1.0, -2.0, 3.0]])


def told(trace: Trace) -> dict[str, Any]:
    """All that a trace says, with tensors by content; but for sketches, which sum in an order of their own."""

    def by_content(key: str) -> Place:
        tensor = trace.tensors[key]
        return Place("", hashlib.sha256(as_bytes(tensor).numpy().tobytes()).hexdigest(), 0)

    document = describe(trace, by_content, lambda axes: [])
    document["run"].pop("sources", None)
    return document


def same(one: Trace, other: Trace) -> None:
    """Two traces say the same, bit for bit."""
    assert told(one) == told(other)
    for path, module in one.modules.items():
        for parameter, twin in zip(module.parameters, other.modules[path].parameters, strict=True):
            if parameter.sketch is not None and twin.sketch is not None:
                for axis, other_axis in zip(parameter.sketch.axes, twin.sketch.axes, strict=True):
                    np.testing.assert_allclose(axis, other_axis, rtol=1e-12, atol=1e-12)


def both(model: nn.Module, inputs: Any, place: Path, run: Any = None, **options: Any) -> tuple[Trace, Trace]:
    """The traces of one model by hooks and by the recorder, both on disk, failed or not."""
    wanted = {key: options.pop(key) for key in ("include", "exclude", "classes", "depth", "limit") if key in options}

    def captured(folder: Path) -> None:
        ran = None if run is None else lambda model, inputs: run(model, inputs.as_given())
        select = Selection(**wanted)
        capture(model, inputs, folder=folder, run=ran, side="original", select=select, **options)

    def recorded(folder: Path) -> None:
        recorder.record(model, inputs, folder, run=run, **wanted, **options)

    for write in (captured, recorded):
        try:
            write(place / write.__name__)
        except Exception:
            if not (place / write.__name__).exists():
                raise
    return open_trace(place / "captured", allow_failed=True), open_trace(place / "recorded", allow_failed=True)


@pytest.mark.parametrize("name", ["recorder.py", "original/child.py"])
def test_it_is_written_for_python_3_7(name: str) -> None:
    assert ast.parse((SOURCE.parent / name).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_it_imports_nothing_but_the_standard_library_numpy_and_torch() -> None:
    nodes = list(ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == STANDARD | {"numpy", "torch"}
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch"
    }
    assert used == ALLOWED


class Awkward(nn.Module):
    """Everything that is special about tensors, names and calls, in one model."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 3), nn.Linear(3, 7, bias=False)
        self.head.weight = self.embed.weight
        self.shared = self.again = nn.Linear(3, 3)
        self.normed = weight_norm(nn.Linear(3, 3))
        self.direct, self.weights_only, self.idle = nn.Linear(3, 3), nn.Linear(3, 3), nn.ModuleList([nn.Tanh()])
        self.act, self.norm = nn.ReLU(inplace=True), nn.BatchNorm1d(3)
        self.absent = nn.Linear(3, 3, device="meta")
        self.convolution = nn.Conv1d(3, 5, 2, dtype=torch.complex64)
        self.empty = nn.Parameter(torch.zeros(0, 3))
        self.register_buffer("table", torch.arange(12.0).reshape(3, 4).t())
        self.register_buffer("small", torch.arange(3).to(torch.bfloat16), persistent=False)
        self.register_buffer("tiny", torch.ones(2, 2).to(torch.float8_e4m3fn))
        self.count, self.rate, self.function, self.sizes = torch.zeros(()), float("inf"), F.gelu, (1, 2.5)

    def forward(self, ids: torch.Tensor, *, scale: float = 2.0, **more: Any) -> Any:
        self.count += 1
        x = self.norm(self.embed(ids))
        h = self.again(self.shared(x))
        h = self.act(h)
        kept = self.normed(h)
        h += 1
        x = self.direct.forward(F.linear(kept, self.weights_only.weight)) * scale
        cache = DynamicCache()
        cache.update(x[None, None], x[None, None], 0)
        complex_x = torch.complex(x, x)
        return BaseModelOutput(
            last_hidden_state=self.head(x),
            hidden_states=(h, h.t(), h[:1].expand(4, 3), h[0, 0], h[:0], complex_x.conj(), complex_x.conj().imag),
            attentions=[x.to(torch.bfloat16), x.to(torch.float8_e5m2), x > 0, ids, cache, None, 3, float("nan")],
        ), {"sparse": x.to_sparse(), "double": complex_x.to(torch.complex128), "meta": x.to("meta"), 5: object()}


def test_all_that_is_awkward_is_recorded_alike(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Awkward()
    captured, recorded = both(model, {"ids": torch.tensor([1, 5, 1]), "more": [X, X]}, tmp_path)
    same(captured, recorded)
    assert recorded.unobserved == ("direct", "weights_only", "idle.0", "absent", "convolution")
    assert [call.label for call in recorded.calls if call.path == "shared"] == ["shared", "shared#1"]
    assert recorded.modules["head"].parameters[0].tied_to == "embed.weight"
    assert recorded.modules["again"].alias_of == "shared"


def in_a_thread(self: Any, x: torch.Tensor) -> Any:
    results: list[torch.Tensor] = [self.first(x)]
    thread = threading.Thread(target=lambda: results.append(self.second(results[0])))
    thread.start()
    thread.join()
    return self.first(results[1])


def falls_back(self: Any, x: torch.Tensor) -> Any:
    try:
        return self.first(x, x)
    except TypeError:
        return self.second(x)


def three_steps(model: nn.Module, inputs: Any) -> list[Any]:
    return [model(*inputs) for _ in range(3)]


def random_numbers(self: Any, x: torch.Tensor) -> list[Any]:
    return [torch.rand(2), random.random(), float(np.random.rand())]


def copies_a_part(self: Any, x: torch.Tensor) -> Any:
    deep, flat, pickled = copy.deepcopy(self.first), copy.copy(self.first), self.first
    flat._parameters = {name: nn.Parameter(torch.ones_like(p)) for name, p in flat._parameters.items()}
    for parameter in deep.parameters():
        nn.init.zeros_(parameter)
    if not isinstance(vars(self.first).get("forward"), recorder._Watched):
        pickled = pickle.loads(pickle.dumps(deep))
    return deep(x), flat(x), pickled(x), self.first(x)


class Stop(BaseException):
    """What torch does not tell hooks of."""


def stops(self: Any, x: torch.Tensor) -> Any:
    raise Stop


def goes_on(self: Any, x: torch.Tensor) -> Any:
    with suppress(Stop):
        self.stops(x)
    return self.other(x)


def again(self: Any, error: BaseException) -> Any:
    raise error


def raises_again(self: Any, x: torch.Tensor) -> Any:
    try:
        raise ValueError("it")
    except ValueError as error:
        with suppress(ValueError):
            self.part(error)
    return x


def cancelled(self: Any, x: torch.Tensor) -> Any:
    raise asyncio.CancelledError("stopped")


def two_threads(self: Any, x: torch.Tensor) -> Any:
    for _ in range(2):
        thread = threading.Thread(target=self.first, args=(x,))
        thread.start()
        thread.join()
    return x


def spread(self: Any, x: torch.Tensor) -> Any:
    return x[0, 0].expand(1 << 14, 1 << 14)


def spread_out(self: Any, x: torch.Tensor) -> Any:
    return torch.ones(1).expand(10**6, 10**6), torch.ones([1] * 65), torch.func.vmap(self.first)(x)


def deep() -> nn.Module:
    model: nn.Module = nn.Linear(3, 3)
    for _ in range(300):
        model = nn.Sequential(model)
    return model


def parts(function: Callable[..., Any]) -> nn.Module:
    return forward_of(function, first=nn.Linear(3, 3), second=nn.Sequential(nn.Linear(3, 3), nn.Tanh()))


CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "a toy": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 2))), {}),
    "several steps": (lambda: nn.Sequential(nn.Linear(3, 3)), {"run": three_steps}),
    "threads": (lambda: parts(in_a_thread), {}),
    "an exception that the model catches": (lambda: parts(falls_back), {}),
    "copies made by the run": (lambda: parts(copies_a_part), {}),
    "a call that ended unseen": (lambda: forward_of(goes_on, stops=forward_of(stops), other=nn.Identity()), {}),
    "an exception raised again": (lambda: forward_of(raises_again, part=forward_of(again)), {}),
    "one thread after another": (lambda: parts(two_threads), {}),
    "what cannot be written out": (lambda: parts(spread_out), {}),
    "a large tensor beyond the limit": (lambda: forward_of(spread), {"limit": 100}),
    "random numbers": (lambda: forward_of(random_numbers), {"seed": 3}),
    "a deep tree": (deep, {}),
    "a fused layer": (lambda: nn.TransformerEncoderLayer(3, 1, 4, batch_first=True).eval(), {}),
    "wrapped forwards": (lambda: parts(lambda self, x: self.second.forward(self.first(x))), {"wrap_forward": True}),
    "included": (lambda: parts(in_a_thread), {"include": ("second*", "first")}),
    "excluded": (lambda: parts(in_a_thread), {"exclude": ("second.0",)}),
    "classes": (lambda: parts(in_a_thread), {"classes": ("Linear",)}),
    "depth": (lambda: parts(in_a_thread), {"depth": 1}),
    "limit": (lambda: parts(in_a_thread), {"limit": 400}),
    "no inputs": (lambda: parts(in_a_thread), {"record_inputs": False}),
    "a forward that raises": (lambda: nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(2, 2))), {}),
    "a wrapped forward that raises": (lambda: nn.Sequential(nn.Linear(2, 2)), {"wrap_forward": True}),
    "a run that raises": (lambda: nn.Linear(3, 3), {"run": lambda model, inputs: [model(*inputs), 1 / 0]}),
    "a run that returns nothing": (lambda: nn.Linear(3, 3), {"run": lambda model, inputs: model(*inputs) and None}),
}  # fmt: skip


@dataclass
class Late:
    early: torch.Tensor
    late: torch.Tensor = field(init=False)


class Closed(UserDict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise PermissionError("no access")


def nested(times: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = X
    for _ in range(times):
        value = wrap(value)
    return value


VALUES: dict[str, tuple[Callable[[], Any], str]] = {
    "objects met again": (lambda: nested(3, lambda value: SimpleNamespace(a=value, b=value)), "the same as a.a"),
    "lists met again": (lambda: nested(3, lambda value: [value, value]), ""),
    "too many parts": (lambda: nested(20, lambda value: [value, value]), "not recorded: more than 1000 parts"),
    "too many levels": (lambda: nested(200, lambda value: [value]), "not recorded: nested deeper than 100 levels"),
    "a mapping that raises": (lambda: [Closed({"a": X})], "not recorded: Closed raised PermissionError: no access"),
    "a field that is not set": (lambda: Late(X), ""),
    "a deque, a view and a set": (lambda: [deque([X, [X]]), {"a": X, "b": 2}.values(), {X}], "set"),
    "keys that clash": (lambda: {1: X, "1": X * 2, "1 (int)": X * 3}, ""),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_are_taken_apart_alike(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MOST_PARTS", 1000)
    monkeypatch.setattr(structure, "MOST", 1000)
    make, said = VALUES[case]
    value = [make()]
    captured, recorded = both(forward_of(lambda self, x: value[0]), (X,), tmp_path)
    same(captured, recorded)
    assert not said or said in {leaf.type_name for leaf in recorded.outputs.leaves}


@pytest.mark.parametrize("case", CASES)
def test_it_gives_the_trace_that_capture_gives(case: str, tmp_path: Path) -> None:
    make, options = CASES[case]
    torch.manual_seed(0)
    model = make()
    same(*both(model, (X[:, :1].expand(1, 3) if case == "limit" else X,), tmp_path, **options))
    assert all("forward" not in vars(module) for module in model.modules())
    assert hook_count(model) == 0


@pytest.mark.parametrize("wrapped", [False, True], ids=["hooks", "wrapped forwards"])
def test_a_model_with_a_mask_gives_the_trace_that_capture_gives(wrapped: bool, tmp_path: Path) -> None:
    original, _ = make_pair()
    first, _ = make_inputs()
    recorder.record(original, first, tmp_path / "trace", valid_positions=first["mask"], wrap_forward=wrapped)
    recorded = open_trace(tmp_path / "trace")
    same(capture(original, first, valid_positions=first["mask"].bool(), side="original"), recorded)
    valid = recorded.valid_positions()
    assert valid is not None
    assert torch.equal(valid, first["mask"].bool())


def test_the_steps_of_a_generation_are_recorded_alike(tmp_path: Path) -> None:
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "vocab_size": 32}
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=2)).eval()

    def run(model: Any, inputs: Any) -> Any:
        return model.generate(**inputs, max_new_tokens=3, do_sample=False, pad_token_id=0)

    ids = torch.tensor([[1, 5, 7]])
    captured, recorded = both(llama, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, tmp_path, run)
    same(captured, recorded)
    assert {call.step for call in recorded.calls} == {0, 1, 2}


def test_old_hooks_are_made_up_for_by_wrapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_hooks_see_all", lambda: False)
    monkeypatch.setattr(recorder._Watch, "_hook", None)
    same(*both(parts(in_a_thread), (X,), tmp_path))


def test_the_model_and_the_random_states_are_left_as_found(tmp_path: Path) -> None:
    torch.manual_seed(0)

    def state() -> list[Any]:
        buffers = [tensor.tolist() for tensor in (*model.buffers(), model.count)]
        attributes = [list(vars(module)) for module in model.modules()]
        return [buffers, attributes, random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()]

    def fails(model: Any, inputs: Any) -> None:
        model(**inputs)
        model.note = 1
        model.table.zero_()
        random.random()
        np.random.rand()
        raise ValueError("no")

    model = Awkward()
    before, limit = state(), sys.getrecursionlimit()
    with pytest.raises(ValueError, match="no"):
        recorder.record(model, {"ids": torch.tensor([1, 5, 1])}, tmp_path / "trace", run=fails)
    assert state() == before
    assert sys.getrecursionlimit() == limit
    assert torch.is_grad_enabled()


def test_inputs_written_to_do_not_change_for_the_caller(tmp_path: Path) -> None:
    def write(self: Any, x: torch.Tensor, more: list[Any], cache: Any, array: np.ndarray) -> Any:
        assert more[0] is x
        more.append(x)
        cache.layers[0].keys.add_(1)
        array += 1
        return x.zero_()

    cache = DynamicCache()
    cache.update(X[None, None], X[None, None].clone(), 0)
    x, array = X.clone(), np.zeros(2)
    inputs = {"x": x, "more": [x], "cache": cache, "array": array}
    recorder.record(forward_of(write), inputs, tmp_path / "trace")
    recorded = open_trace(tmp_path / "trace").inputs
    assert [leaf.name for leaf in recorded.leaves][:2] == ["x", "more.0"]
    assert (x.tolist(), len(inputs["more"]), array.tolist()) == (X.tolist(), 1, [0, 0])
    assert cache.layers[0].keys[0, 0].tolist() == X.tolist()


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_a_tensor_that_cannot_be_copied_says_why(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise error("no room")

    monkeypatch.setattr(recorder._TorchArray, "raw", refuse)
    recorder.record(nn.Tanh(), (X,), tmp_path / "trace")
    (leaf,) = open_trace(tmp_path / "trace").outputs.leaves
    assert (leaf.type_name, leaf.dtype, leaf.shape) == ("not recorded: no room", "float32", (1, 3))


def test_what_cannot_be_recorded_ends_the_run_and_names_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise KeyError("odd")

    model = nn.Sequential(nn.Tanh())
    monkeypatch.setattr(recorder._Listener, "_arguments", refuse)
    with pytest.raises(RuntimeError, match=r"what passes the model itself cannot be recorded: KeyError: 'odd'"):
        recorder.record(model, (X,), tmp_path / "trace")
    assert list(tmp_path.iterdir()) == []


def test_what_a_run_writes_into_the_model_is_put_back(tmp_path: Path) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.first.weight.data = torch.zeros(3, 3)
        self.first.bias.add_(1)
        self.first.bias.requires_grad_(False)
        self.spread[:1, :1].fill_(3.0)
        self.held["list"].append(1)
        return x

    with torch.inference_mode():
        inferred = torch.ones(2)
    model: Any = forward_of(forward, first=nn.Linear(3, 3), embed=nn.Embedding(3, 3, max_norm=0.1))
    model.register_buffer("spread", torch.full((1, 1), torch.nan).expand(2, 2))
    model.register_buffer("inferred", inferred)
    model.held = {"list": [0]}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    memory = model.first.weight.data_ptr()

    def run(model: Any, inputs: Any) -> None:
        model.embed(torch.tensor([0, 1, 2]))
        model(*inputs)
        with torch.inference_mode():
            model.inferred.add_(1)

    recorder.record(model, (X,), tmp_path / "trace", run=run)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor.nan_to_num(7), before[name].nan_to_num(7)), name
    assert model.first.weight.data_ptr() == memory
    assert model.first.bias.requires_grad
    assert model.spread.stride() == (0, 0)
    assert model.held == {"list": [0]}


def test_what_cannot_be_put_back_is_named_and_all_else_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.first.weight.mul_(2)
        self.count = 2
        return x

    monkeypatch.setattr(recorder, "COPIED_BYTES", 0)
    model: Any = forward_of(forward, first=nn.Linear(3, 3))
    model.count = 1
    with pytest.raises(RuntimeError, match=r"could not be put back: first.*weight: the run wrote into it"):
        recorder.record(model, (X,), tmp_path / "trace")
    assert model.count == 1


def test_a_cancelled_run_is_a_failure_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(asyncio.CancelledError):
        recorder.record(forward_of(cancelled), (X,), tmp_path / "trace")
    assert open_trace(tmp_path / "trace", allow_failed=True).failure is not None


def test_copies_made_with_wrapped_forwards_compute_with_their_own_weights(tmp_path: Path) -> None:
    model: Any = parts(copies_a_part)
    recorder.record(model, (X,), tmp_path / "trace", wrap_forward=True)
    trace = open_trace(tmp_path / "trace")
    shown = [leaf.name for leaf in trace.outputs.leaves]
    assert shown == ["0", "1", "2", "3"]
    zero, flat, *own = [trace.tensor(leaf).tolist() for leaf in trace.outputs.leaves]
    assert (zero, flat) == ([[0.0, 0.0, 0.0]], [[3.0, 3.0, 3.0]])
    assert own == [model.first(X).tolist()] * 2
    assert [call.path for call in trace.calls] == ["", "first", "first"]


def test_inputs_are_copied_as_far_as_they_can_be(tmp_path: Path) -> None:
    class Stateful:
        def __init__(self) -> None:
            self.lock, self.module, self.state = threading.Lock(), nn.Linear(1, 1), X.clone()

    seen: list[Any] = []

    def forward(self: Any, x: torch.Tensor, given: Any, queue: Any) -> torch.Tensor:
        seen.extend([x, given, queue])
        given.state.zero_()
        queue[0].zero_()
        return x

    given, queue, x = Stateful(), deque([X.clone()], 3), X.clone().requires_grad_()
    recorder.record(forward_of(forward), {"x": x, "given": given, "queue": queue}, tmp_path / "trace")
    assert seen[0].requires_grad
    assert seen[0] is not x
    assert seen[1].lock is given.lock
    assert seen[1].module is given.module
    assert (given.state.tolist(), queue[0].tolist(), seen[2].maxlen) == (X.tolist(), X.tolist(), 3)


def test_progress_is_told(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    recorder.record(nn.Sequential(nn.Tanh()), (X,), tmp_path / "trace", progress=lambda *args: said.append(args))
    assert said == [
        ("reading weights", 0, 2),
        ("reading weights", 1, 2),
        ("running", 1, 2),
        ("running", 2, 2),
        ("writing tensors-00001.safetensors, 0 MiB", 0, 1),
    ]


def compiled() -> Any:
    return torch.compile(nn.Linear(3, 3))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.jit.script(nn.Linear(3, 3)), "scripted or traced"),
        (lambda: torch.jit.trace(nn.Linear(3, 3), X), "traced"),  # type: ignore[no-untyped-call]
        (lambda: nn.ModuleList([torch.jit.script(nn.ReLU())]), "0 .* scripted or traced"),
        (compiled, "compiled"),
        (lambda: nn.Sequential(compiled()), "0 .* compiled"),
        (lambda: torch.export.export(nn.Linear(3, 3), (X,)).module(), "exported"),
    ],
)
def test_opaque_models_are_refused(make: Callable[[], nn.Module], kind: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"{kind}.*: hooks do not see inside it"):
        recorder.record(make(), (X,), tmp_path / "trace")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_calls_leaves_what_was_there(tmp_path: Path) -> None:
    recorder.record(nn.Tanh(), (X,), tmp_path / "trace")
    with pytest.raises(RuntimeError, match="no module was called"):
        recorder.record(nn.Tanh(), (X,), tmp_path / "trace", run=lambda model, inputs: None)
    assert len(open_trace(tmp_path / "trace").calls) == 1


def test_valid_positions_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"over \(batch, sequence\), and has the shape \(3,\)"):
        recorder.record(nn.Tanh(), (X,), tmp_path / "trace", valid_positions=[True, True, False])
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(model: nn.Module, inputs: Any) -> None:
        model(*inputs)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorder.record(nn.Tanh(), (X,), tmp_path / "new" / "trace", run=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_the_run_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tries_again(self: Any, x: torch.Tensor) -> None:
        monkeypatch.setattr(os, "pwrite", full)
        with suppress(Exception):
            self.first(x)
        raise AssertionError("the model goes on")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model = parts(tries_again)
    with pytest.raises(OSError, match=r"No space left on device: .*trace"):
        recorder.record(model, (X,), tmp_path / "trace")
    assert list(tmp_path.iterdir()) == []
    assert hook_count(model) == 0


@pytest.mark.parametrize("shards", [1, 5])
def test_content_is_stored_once_in_any_shard(shards: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "SHARD_BYTES", 5000 if shards > 1 else 1 << 30)
    monkeypatch.setattr(recorder, "HEADER_BYTES", (4096,))
    x = torch.arange(150.0)
    model = nn.Sequential(*(forward_of(lambda self, x: x + 1) for _ in range(3)), nn.Identity(), nn.Threshold(5, 5))
    captured, recorded = both(model, (x,), tmp_path)
    same(captured, recorded)
    assert len(list((tmp_path / "recorded").glob("tensors-*"))) == shards
    assert len(recorded.tensors) == len(captured.tensors) == 5


@pytest.mark.parametrize("strided", [False, True], ids=["in rows", "strided"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.complex64])
def test_large_tensors_are_taken_piece_by_piece(
    dtype: torch.dtype, strided: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PIECE_BYTES", 64)
    monkeypatch.setattr(recorder, "BLOCK_ELEMENTS", 10)
    monkeypatch.setattr(recorder, "KEPT_PROJECTION", 8)
    torch.manual_seed(0)
    shapes = [(33,), (1, 40), (40, 1), (7, 9), (3, 5, 2, 4), (2, 3, 23), ()]
    model = forward_of(lambda self, x: [*self.parameters(), *self.buffers()])
    for index, shape in enumerate(shapes):
        tensor = torch.randn(*shape, 2) if strided else torch.randn(shape)
        tensor = tensor.transpose(0, -1)[0] if strided else tensor
        model.register_buffer(f"b{index}", tensor.to(dtype))
    same(*both(model, (X,), tmp_path))


def test_a_forward_that_raises_leaves_a_failed_trace(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 2))
    with pytest.raises(RuntimeError):
        recorder.record(model, (torch.ones(1, 2),), tmp_path / "trace")
    with pytest.raises(TraceError, match=r"raised in 1 \(Linear\)"):
        open_trace(tmp_path / "trace")
    failed = open_trace(tmp_path / "trace", allow_failed=True)
    assert [call.path for call in failed.calls] == ["", "0", "1"]


def test_only_a_trace_is_replaced(tmp_path: Path) -> None:
    model, x = nn.Linear(2, 2), (torch.ones(1, 2),)
    for _ in range(2):
        recorder.record(model, x, tmp_path / "trace")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not a trace"):
        recorder.record(model, x, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "trace"]


def test_two_recordings_of_one_place_leave_a_whole_trace(tmp_path: Path) -> None:
    def recorded(number: int) -> None:
        with recorder.Recorder(tmp_path / "trace") as writing:
            writing.tap("", outputs=np.full(3, number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(recorded, range(40)))
    assert [path.name for path in tmp_path.iterdir()] == ["trace"]
    assert len(open_trace(tmp_path / "trace").calls) == 1
    assert not recorder._own


CHILD = """
import importlib.abc
import sys


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("porting", "transformers", "safetensors"):
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Absent())
import json
import struct

import torch

torch.set_num_threads(1)
folder, inputs, target = sys.argv[1:]
sys.path.append(folder)
import record
from pytorch_pretrained_bert.modeling import BertConfig, BertModel

torch.manual_seed(0)
model = BertModel(BertConfig(99, 32, 2, 4, 64, max_position_embeddings=16)).eval()
given = {key: torch.tensor(value) for key, value in json.load(open(inputs)).items()}
run = lambda model, inputs: model(output_all_encoded_layers=False, **inputs)
record.record(model, given, target, run=run, valid_positions=given["attention_mask"])
"""


def test_the_2019_bert_is_recorded_where_porting_is_not(tmp_path: Path) -> None:
    import json

    from pytorch_pretrained_bert.modeling import BertConfig, BertModel

    ids = {"input_ids": [[5, 7, 2, 9], [8, 3, 0, 0]], "attention_mask": [[1, 1, 1, 1], [1, 1, 0, 0]]}
    (tmp_path / "inputs.json").write_text(json.dumps(ids))
    (tmp_path / "child.py").write_text(CHILD)
    printed = subprocess.run([sys.executable, "-m", "porting", "recorder"], capture_output=True, check=True)
    (tmp_path / "record.py").write_bytes(printed.stdout)
    arguments = [str(tmp_path), str(tmp_path / "inputs.json"), str(tmp_path / "trace")]
    child = [sys.executable, "-I", str(tmp_path / "child.py"), *arguments]
    done = subprocess.run(child, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    torch.manual_seed(0)
    model = BertModel(BertConfig(99, 32, 2, 4, 64, max_position_embeddings=16)).eval()
    given = {key: torch.tensor(value) for key, value in ids.items()}

    def run(model: nn.Module, inputs: Any) -> Any:
        return model(output_all_encoded_layers=False, **inputs.kwargs)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        here = capture(model, given, run=run, valid_positions=given["attention_mask"].bool(), side="original")
    finally:
        torch.set_num_threads(threads)
    same(here, open_trace(tmp_path / "trace"))


def test_a_recorded_original_stands_in_for_the_live_one(tmp_path: Path) -> None:
    portfile = Portfile.load(write_demo(tmp_path / "demo"))
    target = tmp_path / "demo" / "traces" / "original"
    inputs = portfile.inputs("original").kwargs
    valid = inputs["attention_mask"]

    def run(model: Any, given: Any) -> Any:
        return model(**given, output_all_encoded_layers=False)

    recorder.record(portfile.build("original"), dict(inputs), str(target), run=run, valid_positions=valid)
    replayed = verify(open_trace(target), portfile.build("ported"), dict(inputs), valid_positions=valid.bool())
    assert replayed.verdict == "match"
    assert len(replayed.comparison.alignment.pairs) == 107
    assert save_trace(replayed.original, tmp_path / "again").is_dir()
