from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from tracing import bits, content, returned

from porting import capture
from porting.errors import CaptureError, TraceError
from porting.trace import open_trace, save_trace
from porting.trace import shards as module
from porting.trace.folders import MANIFEST


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.second(self.first(x))


TENSORS = {
    "bfloat16": torch.tensor([1.5, -0.0, torch.nan, torch.inf]).bfloat16(),
    "float16": torch.tensor([[6e-8, 65504.0]]).half(),
    "float8": torch.tensor([1.0, 448.0]).to(torch.float8_e4m3fn),
    "bool": torch.tensor([True, False]),
    "int64": torch.tensor([2**63 - 1, -(2**63)]),
    "uint8": torch.arange(3, dtype=torch.uint8),
    "complex": torch.tensor([1 + 2j, complex(-0.0, torch.nan)]),
    "conj": torch.tensor([[1 + 2j, 3 - 4j]]).conj(),
    "negative": torch.tensor([1 + 2j]).conj().imag,
    "scalar": torch.tensor(-0.0),
    "empty": torch.zeros(0, 3),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "expanded": torch.ones(1, 2).expand(3, 2),
    "sliced": torch.arange(10.0)[1::3],
    "strided element": torch.arange(4.0)[::4],
    "nan": torch.tensor([0x7FC12345], dtype=torch.int32).view(torch.float32),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    tensor = TENSORS[name]
    trace = open_trace(save_trace(returned(it=tensor), tmp_path / "trace"))
    (leaf,) = trace.outputs.leaves
    plain = tensor.resolve_conj().resolve_neg()
    assert bits(trace.tensor(leaf)) == bits(plain)
    assert (leaf.name, leaf.shape, f"torch.{leaf.dtype}") == ("it", tuple(tensor.shape), str(tensor.dtype))
    assert leaf.strides == (None if tensor.is_contiguous() else tensor.stride())


def test_scalars_and_other_leaves_come_back(tmp_path: Path) -> None:
    values = {
        "none": None,
        "yes": True,
        "n": 3,
        "x": 0.1,
        "s": "\ud800\n\u202e",
        "inf": float("inf"),
        "other": b"bytes",
    }
    trace = open_trace(save_trace(returned(**values), tmp_path / "trace"))
    found = {leaf.name: leaf.value for leaf in trace.outputs.leaves}
    assert found == {**values, "inf": "inf", "other": None}
    assert [leaf.type_name for leaf in trace.outputs.leaves if leaf.type_name] == ["bytes"]


def test_everything_a_trace_says_survives(tmp_path: Path) -> None:
    model = nn.ModuleDict({"café": nn.Embedding(4, 3), "norm": nn.LayerNorm(3, eps=1e-7), "drop": nn.Dropout(0.1)})
    model["again"] = model["norm"]
    model["odd \ud800\u202e\n" + "x" * 300] = nn.Linear(3, 4)
    model["meta"] = nn.Linear(2, 2, device="meta")

    def run(model: Any, inputs: Any) -> Any:
        x = model["norm"](model["café"](*inputs.args))
        return model["drop"](model["norm"](x))

    trace = capture(
        model, (torch.tensor([[0, 1]]),), run=run, side="ported", valid_positions=torch.ones(1, 2, dtype=torch.bool)
    )
    again = open_trace(save_trace(trace, tmp_path / "trace"))
    assert content(again) == content(trace)
    assert again.modules["norm"].settings["eps"] == 1e-7
    assert repr(again) == repr(trace)


def test_identical_content_is_stored_once(tmp_path: Path) -> None:
    tensor = torch.arange(4096.0)
    folder = save_trace(returned(one=tensor, other=tensor.clone(), bits=tensor.view(torch.int32)), tmp_path / "trace")
    (shard,) = folder.glob("*.safetensors")
    assert 2 * tensor.nbytes < shard.stat().st_size < 2.5 * tensor.nbytes
    trace = open_trace(folder)
    assert [trace.tensor(leaf).dtype for leaf in trace.outputs.leaves] == [torch.float32, torch.float32, torch.int32]


def test_large_traces_are_split_into_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 100)
    said: list[str] = []
    trace = returned(**{f"t{index}": torch.full((20,), float(index)) for index in range(4)})
    folder = save_trace(trace, tmp_path / "trace", said.append)
    shards = sorted(path.name for path in folder.glob("*.safetensors"))
    assert shards == [f"tensors-{number:05d}.safetensors" for number in range(1, len(shards) + 1)]
    assert len(shards) == len(said) >= 4
    assert content(open_trace(folder)) == content(trace)


def test_an_entry_longer_than_a_first_header_does_not_overwrite_the_tensors(tmp_path: Path) -> None:
    shape, data = [1] * 5000, bytes([1, 2, 3, 4])
    with module.ShardWriter(tmp_path) as writer:
        key = writer.add("F32", shape, lambda: [memoryview(data)])
        ((name, header),) = writer.close().items()
    assert key is not None
    raw = (tmp_path / name).read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    assert json.loads(raw[8:start]) == {key: {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}
    assert (raw[start:], header.size) == (data, len(raw))


def test_a_failed_trace_is_refused_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(CaptureError):
        capture(Failing(), (torch.ones(1, 2),), folder=tmp_path / "trace")
    with pytest.raises(TraceError, match=r"raised in second \(Linear\): RuntimeError: .*"):
        open_trace(tmp_path / "trace")
    trace = open_trace(tmp_path / "trace", allow_failed=True)
    assert [call.path for call in trace.calls] == ["", "first", "second"]
    assert [leaf.type_name for leaf in trace.calls[2].outputs.leaves] == ["nothing: it raised"]
    assert trace.tensor(trace.calls[1].outputs.leaves[0]).shape == (1, 2)
    assert json.loads((tmp_path / "trace" / MANIFEST).read_text())["status"] == "failed"
