"""The recorder: one file that writes the same trace where porting is not installed."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toys import make_inputs, make_pair

from porting import Trace, capture, compare, open_trace, recorder, verify
from porting.demo import write_demo
from porting.errors import TraceError
from porting.portfile import Portfile
from porting.trace import save_trace
from porting.trace.bits import as_bytes

SOURCE = Path(recorder.__file__)
ALLOWED = {
    "Tensor", "get_num_threads", "get_rng_state", "set_rng_state", "manual_seed", "no_grad", "int16", "__version__",
}  # fmt: skip
"""What it uses of torch; all of it is in torch 1.8."""
STANDARD = {
    "contextlib", "dataclasses", "hashlib", "inspect", "json", "os", "platform", "shutil", "sys", "zlib",
    "collections.abc", "typing",
}  # fmt: skip


def same(one: Trace, other: Trace) -> None:
    """Two traces say the same, bit for bit."""
    assert [(c.key, c.class_name, c.parent) for c in one.calls] == [
        (c.key, c.class_name, c.parent) for c in other.calls
    ]
    for mine, theirs in zip(one.calls, other.calls, strict=True):
        for value, copy in ((mine.inputs, theirs.inputs), (mine.outputs, theirs.outputs)):
            assert value.structure == copy.structure
            for leaf, twin in zip(value.leaves, copy.leaves, strict=True):
                assert (leaf.name, leaf.dtype, leaf.shape, leaf.value) == (
                    twin.name,
                    twin.dtype,
                    twin.shape,
                    twin.value,
                )
                assert leaf.strides == twin.strides
                if leaf.tensor is not None:
                    bits, twin_bits = (as_bytes(trace.tensor(each)) for trace, each in ((one, leaf), (other, twin)))
                    assert torch.equal(bits, twin_bits)
    assert list(one.modules) == list(other.modules)
    for path, module in one.modules.items():
        same_module = replace(other.modules[path], parameters=module.parameters)
        assert module == same_module
        for parameter, copied in zip(module.parameters, other.modules[path].parameters, strict=True):
            assert (parameter.name, parameter.kind, parameter.shape) == (copied.name, copied.kind, copied.shape)
            assert parameter.sketch is not None
            assert copied.sketch is not None
            assert parameter.sketch.crc32 == copied.sketch.crc32
            for axis, other_axis in zip(parameter.sketch.axes, copied.sketch.axes, strict=True):
                np.testing.assert_allclose(axis, other_axis, rtol=1e-12, atol=1e-12)


def test_it_is_written_for_python_3_7() -> None:
    assert ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 7))


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


@pytest.mark.parametrize("wrapped", [False, True], ids=["hooks", "wrapped forwards"])
def test_a_torch_model_gives_the_trace_that_capture_gives(
    wrapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, _ = make_pair()
    first, _ = make_inputs()
    if wrapped:
        monkeypatch.setattr(recorder._Watch, "_hook", recorder._Watch._wrap)
    recorder.record(original, first, str(tmp_path / "trace"), valid_positions=first["mask"])
    recorded = open_trace(tmp_path / "trace")
    captured = capture(original, first, valid_positions=first["mask"].bool(), side="original")
    same(captured, recorded)
    valid = recorded.valid_positions()
    assert valid is not None
    assert torch.equal(valid, first["mask"].bool())
    assert compare(captured, recorded).verdict == "match"
    assert all("forward" not in vars(module) and not module._forward_hooks for module in original.modules())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.bool])
def test_dtypes_survive(dtype: torch.dtype, tmp_path: Path) -> None:
    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 2).to(torch.bfloat16))

        def forward(self, x: torch.Tensor) -> Any:
            return {"cast": x.to(dtype), "turned": x.t(), "none": None, "one": x.sum(), "empty": x[:0]}

    model, x = Cast(), torch.randn(2, 3)
    recorder.record(model, (x,), str(tmp_path / "trace"))
    same(capture(model, (x,), side="original"), open_trace(tmp_path / "trace"))


def test_a_forward_that_raises_leaves_a_failed_trace(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 2))
    with pytest.raises(RuntimeError):
        recorder.record(model, (torch.ones(1, 2),), str(tmp_path / "trace"))
    with pytest.raises(TraceError, match=r"raised in 1 \(Linear\)"):
        open_trace(tmp_path / "trace")
    failed = open_trace(tmp_path / "trace", allow_failed=True)
    assert [call.path for call in failed.calls] == ["", "0", "1"]


def test_only_a_trace_is_replaced(tmp_path: Path) -> None:
    model, x = nn.Linear(2, 2), (torch.ones(1, 2),)
    for _ in range(2):
        recorder.record(model, x, str(tmp_path / "trace"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not a trace"):
        recorder.record(model, x, str(tmp_path / "other"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "trace"]


def numpy_original(folder: Path, x: np.ndarray, weights: dict[str, np.ndarray]) -> Path:
    """A perceptron in NumPy, recorded by taps."""
    taps = recorder.Recorder("numpy.Perceptron")
    for name in ("up", "down"):
        taps.parameter(name, "weight", weights[f"{name}.weight"])
        taps.parameter(name, "bias", weights[f"{name}.bias"])
    with taps.running():
        hidden = x @ weights["up.weight"].T + weights["up.bias"]
        taps.tap("up", hidden, {"x": x}, "Dense")
        active = np.tanh(hidden)
        taps.tap("act", active, {"x": hidden}, "Tanh")
        result = active @ weights["down.weight"].T + weights["down.bias"]
        taps.tap("down", result, {"x": active}, "Dense")
    taps.save(str(folder), inputs={"x": x}, outputs=result)
    return folder


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.dense_in, self.act, self.dense_out = nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.dense_out(self.act(self.dense_in(x)))
        return result


def test_a_numpy_implementation_is_recorded_by_taps(tmp_path: Path) -> None:
    ported = Perceptron().eval()
    names = {"dense_in": "up", "dense_out": "down"}
    weights = {
        f"{names[key.partition('.')[0]]}.{key.partition('.')[2]}": tensor.numpy()
        for key, tensor in ported.state_dict().items()
    }
    x = torch.randn(5, 4)
    original = open_trace(numpy_original(tmp_path / "original", x.numpy(), weights))
    verification = verify(original, ported, {"x": x})
    assert verification.verdict == "match"
    assert {("up", "dense_in"), ("act", "act"), ("down", "dense_out")} <= set(verification.comparison.alignment.pairs)
    ported.act = nn.ReLU()  # type: ignore[assignment]
    broken = verify(original, ported, {"x": x})
    assert (broken.verdict, broken.culprits[0].ported) == ("mismatch", "act")


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
        here = capture(model, given, run=run, valid_positions=given["attention_mask"].bool())
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
