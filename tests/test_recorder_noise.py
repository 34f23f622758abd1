"""The recorder measures a model's own noise as a capture does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from toys import make_inputs, make_pair
from tracing import forward_of, hook_count
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.modeling_outputs import BaseModelOutput

from porting import Trace, capture, open_trace, recorder
from porting.hooks.selection import Selection
from porting.noise.measuring import MEASURED

X = torch.tensor([[0.3, -2.0, 3.0], [1.0, 5.0, -0.7]])
THREADS = torch.get_num_threads()
MASK = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]])


def figures(trace: Trace) -> dict[str, Any]:
    """The noise at every leaf of a trace that has any."""
    values = {f"{call.label} {where}": getattr(call, where) for call in trace.calls for where in ("inputs", "outputs")}
    leaves = [(f"{place} {leaf.name}", leaf) for place, value in values.items() for leaf in value.leaves]
    leaves += [(f"the run {leaf.name}", leaf) for leaf in trace.outputs.leaves]
    return {f"{place} {kind}": pair for place, leaf in leaves for kind, pair in (leaf.noise or {}).items()}


def state(model: nn.Module) -> list[Any]:
    tensors = [
        (name, id(t), t.data_ptr(), t.dtype, t.tolist()) for name, t in model.state_dict(keep_vars=True).items()
    ]
    process = [torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state().tolist()]
    return [tensors, process, [sorted(vars(module)) for module in model.modules()], hook_count(model)]


def agreed(model: nn.Module, inputs: Any, folder: Path, run: Any = None, **options: Any) -> Trace:
    """The recorder's trace, whose noise is that of a capture, and which leaves the model as it was."""
    recorded_options = dict(options)
    if "exclude" in recorded_options:
        options["select"] = Selection(exclude=options.pop("exclude"))
    ran = None if run is None else lambda model, inputs: run(model, inputs.as_given())
    captured = capture(model, inputs, run=ran, noise=True, **options)
    before = state(model)
    recorder.record(model, inputs, folder / "trace", run=run, noise=True, **recorded_options)
    assert state(model) == before
    recorded = open_trace(folder / "trace")
    assert recorded.run["noise"] == captured.run["noise"]
    mine, expected = figures(recorded), figures(captured)
    assert mine.keys() == expected.keys()
    for place, pair in mine.items():
        assert pair == pytest.approx(expected[place], rel=1e-6, abs=0), place
    largest = captured.run["noisiest"]
    assert {kind: each["call"] for kind, each in recorded.run["noisiest"].items()} == {
        kind: each["call"] for kind, each in largest.items()
    }
    for kind, each in recorded.run["noisiest"].items():
        assert each["relative_l2"] == pytest.approx(largest[kind]["relative_l2"], rel=1e-6, abs=0)
    return recorded


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("side", [0, 1])
def test_a_transformer_with_a_mask_is_as_noisy_as_captured(side: int, masked: bool, tmp_path: Path) -> None:
    inputs = make_inputs()[side]
    valid = list(inputs.values())[1].bool() if masked else None
    recorded = agreed(make_pair()[side], inputs, tmp_path, valid_positions=valid)
    assert set(recorded.run["noise"].values()) == {MEASURED}
    assert len(figures(recorded)) > 100


def test_the_steps_of_a_generation_are_as_noisy_as_captured(tmp_path: Path) -> None:
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "vocab_size": 32}
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=2)).eval()

    def run(model: Any, inputs: Any) -> Any:
        return model.generate(**inputs, max_new_tokens=3, do_sample=False, pad_token_id=0)

    ids = torch.tensor([[1, 5, 7], [2, 4, 9]])
    recorded = agreed(llama, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, tmp_path, run)
    assert recorded.run["noise"] == dict.fromkeys(["float64", "threads", "batch"], MEASURED)


def norm(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    wide = wide.to(torch.float32) * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True, dtype=torch.float32) + 1e-6)
    return wide.softmax(-1, dtype=torch.float32).to(x.dtype)


class Pair(NamedTuple):
    left: torch.Tensor
    right: Any


@dataclass
class Held:
    value: torch.Tensor
    note: str = "a note"


def nested(self: Any, pair: Pair, held: Held, *, scale: float = 3.0, cache: Any = None, more: Any = ()) -> Any:
    cache.update(pair.left[None, None], held.value[None, None], 0)
    keys, values = cache.layers[0].keys, cache.layers[0].values
    found = (pair.left / scale, held, [keys * 0.1, {"values": values}], *more, held.note)
    return BaseModelOutput(last_hidden_state=found[0], hidden_states=found)


def twice(self: Any, x: torch.Tensor, scale: float = 2.5) -> Any:
    cache = DynamicCache()
    first = self.nested(Pair(x / 7, None), Held(x / 3), scale=scale, cache=cache, more=(None, "text", 4))
    second = self.nested(Pair(first[0], 1), first.hidden_states[1], cache=cache)
    return second, cache


def in_a_thread(self: Any, x: torch.Tensor) -> Any:
    results: list[torch.Tensor] = [self.first(x)]
    thread = threading.Thread(target=lambda: results.append(self.second(results[0])))
    thread.start()
    thread.join()
    return self.first(results[1])


def falls_back(self: Any, x: torch.Tensor) -> Any:
    with suppress(TypeError):
        return self.first(x, x)
    return self.second(x)


def many_dtypes(_: nn.Module, x: torch.Tensor) -> Any:
    y = x / 3
    odd = torch.cat([y, y / 0, (y - y) / 0], -1)
    return (
        y.bfloat16(),
        y.half(),
        y.to(torch.float8_e4m3fn),
        torch.complex(y, -y),
        y.double(),
        y > 0,
        y[:0],
        odd,
        y[0, 0],
    )


def before_activation(self: Any, x: torch.Tensor) -> torch.Tensor:
    x = x / 3
    activated: torch.Tensor = self.relu(x)
    return activated + x


def padded(_: nn.Module, x: torch.Tensor, mask: torch.Tensor) -> Any:
    x = x + (x / 3 - x.mean(0)) * (1 - mask)[..., None]
    return x, x.sum(-1), x.sum(1), torch.complex(x, x)


def drawing(self: Any, x: torch.Tensor) -> torch.Tensor:
    return x + torch.rand(()) + torch.nn.functional.dropout(self.first(x))


def picky(self: Any, x: torch.Tensor) -> Any:
    self.note = x
    if x.dtype != torch.float32 or len(x) != 2 or torch.get_num_threads() != THREADS:
        raise TypeError("float32, in pairs, \x1b and with as many threads")
    return self.first(x)


def longer(self: Any, x: torch.Tensor) -> torch.Tensor:
    for _ in range(len(x)):
        x = self.first(x)
    return x


def parts(function: Callable[..., Any]) -> nn.Module:
    torch.manual_seed(0)
    second = nn.Sequential(nn.Linear(3, 3), forward_of(norm), nn.Tanh())
    return forward_of(
        function, first=nn.Linear(3, 3), second=second, relu=nn.ReLU(inplace=True), nested=forward_of(nested)
    )


def steps(model: nn.Module, inputs: Any) -> list[Any]:
    return [model(*inputs), model(inputs[0] / 3)]


PADDED = {"x": torch.arange(40.0).reshape(2, 5, 4) / 7, "mask": MASK.float()}
WIDE = {"x": torch.arange(50.0).reshape(2, 5, 5) / 7, "mask": MASK.float()}
CASES: dict[str, tuple[Callable[..., Any], Any, dict[str, Any]]] = {
    "casts to float32": (norm, (X,), {}),
    "casts to float32 of bfloat16": (norm, (X.bfloat16(),), {}),
    "rows that are mixed": (lambda self, x: self.first(x - x.mean(0)), (X,), {}),
    "a module that is called twice": (twice, {"x": X, "scale": 2.0}, {}),
    "threads": (in_a_thread, (X,), {}),
    "an exception that the model catches": (falls_back, (X,), {}),
    "tensors of many dtypes": (many_dtypes, (X,), {}),
    "a call that writes into its inputs": (before_activation, (X,), {}),
    "padding": (padded, PADDED, {"valid_positions": MASK.bool()}),
    "padding, with as many channels as positions": (padded, WIDE, {"valid_positions": MASK.bool()}),
    "several steps": (lambda self, x: self.second(x), (X,), {"run": steps}),
    "children whose forward is called": (lambda self, x: self.second.forward(x / 3), (X,), {"wrap_forward": True}),
    "no inputs": (in_a_thread, (X,), {"record_inputs": False}),
    "tensors that are left out": (in_a_thread, (X,), {"exclude": ("second.1",)}),
    "arguments that are no tensors": (lambda self, x, cache, y: x / y, {"x": X, "cache": DynamicCache(), "y": 3}, {}),
    "an input that is in every row": (lambda self, x, y: x / y, (X, X[:1, :1]), {}),
    "random numbers": (drawing, (X,), {"seed": 3}),
    "reruns that raise": (picky, (X,), {}),
    "reruns that make other calls": (longer, (X,), {}),
    "one row": (norm, (X[:1],), {}),
    "no batch in common": (lambda self, x, y: x / 3, (X, X.t()), {}),
    "no batch": (lambda self, x: x / 3, (X[0],), {}),
    "two axes that may be the batch": (lambda self, x, y: x / 3, (X[:, :2], X[:, 0]), {}),
    "no number that moves": (lambda self, x: x.argmax(-1), (X,), {}),
    "nothing returned": (lambda self, x: [self.first(x), None][1], (X,), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_model_is_as_noisy_as_captured(case: str, tmp_path: Path) -> None:
    function, inputs, options = CASES[case]
    agreed(parts(function), inputs, tmp_path, **options)


@pytest.mark.parametrize("wrapped", [False, True], ids=["hooks", "wrapped forwards"])
def test_a_batch_norm_in_training_is_left_as_it_was(
    wrapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_hooks_see_all", lambda: not wrapped)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh()).train()
    recorded = agreed(model, (torch.randn(4, 3),), tmp_path)
    assert "1 outputs  float64" in figures(recorded)


def test_old_torch_says_why_it_has_no_float64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.overrides, "TorchFunctionMode")
    recorder.record(nn.Tanh(), (X,), tmp_path / "trace", noise=True)
    noise = open_trace(tmp_path / "trace").run["noise"]
    assert noise["float64"] == f"torch {torch.__version__} has no TorchFunctionMode"
    assert [noise["threads"], noise["batch"]] == [MEASURED, MEASURED]


def test_large_tensors_are_compared_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "BLOCK_ELEMENTS", 4)
    monkeypatch.setattr(recorder, "SHARD_BYTES", 300)
    agreed(parts(padded), PADDED, tmp_path, valid_positions=MASK.bool())
    assert len(list((tmp_path / "trace").glob("tensors-*"))) > 1


def test_a_run_that_raises_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        recorder.record(nn.Linear(2, 2), (X,), tmp_path / "trace", noise=True)
    assert "noise" not in open_trace(tmp_path / "trace", allow_failed=True).run


def test_progress_is_told_of_each_kind(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    told = lambda *args: said.append(args)  # noqa: E731 - one line
    recorder.record(nn.Tanh(), (X,), tmp_path / "trace", noise=True, progress=told)
    assert said[-4:-1] == [
        (f"measuring noise: {kind}", i, 3) for i, kind in enumerate(["float64", "threads", "batch"])
    ]
