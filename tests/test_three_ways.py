"""One model recorded by hooks, by the recorder in another interpreter, and by hand: the same tensors, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from test_recorder import SOURCE

from porting import Portfile, Trace, capture, open_trace, recorder
from porting.original.other_python import record_original
from porting.trace.bits import as_bytes
from porting.trace.parts import Value

MODEL = '''
"""A model, its inputs, and its forward written by hand with taps."""
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class Kept(NamedTuple):
    wide: Any
    half: Any


@dataclass
class Result:
    logits: Any
    hidden: Any
    cache: Any = None
    steps: int = 2


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.act, self.norm = nn.Linear(48, 48), nn.ReLU(inplace=True), nn.LayerNorm(48)

    def forward(self, x, scale=1.0, *, mask=None):
        wide = self.act(self.linear(x))
        if mask is not None:
            wide = wide * mask[..., None]
        return self.norm(x + scale * wide), None, Kept(wide.transpose(0, 1), wide.to(torch.bfloat16))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.block, self.out = nn.Embedding(31, 48), Block(), nn.Linear(48, 31, bias=False)
        self.register_buffer("offset", torch.arange(48.0))

    def forward(self, ids, mask=None, labels=None):
        x = self.embed(ids) + self.offset
        x, _, first = self.block(x, mask=mask)
        x, _, second = self.block(x, 0.5, mask=None)
        x.clamp_(max=2.5)  # after it was recorded
        return Result(self.out(x), (first, [second.half, x]))


def build():
    torch.manual_seed(0)
    return Model().eval()


def inputs():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 31, (3, 7), generator=generator)
    return {"ids": ids, "mask": ids % 5 > 0, "labels": None}


def block_by_hand(block, taps, arguments):
    x, scale, mask = arguments["x"], arguments.get("scale", 1.0), arguments["mask"]
    taps.enter("block", arguments, "Block")
    wide = F.linear(x, block.linear.weight, block.linear.bias)
    taps.tap("block.linear", wide, {"input": x}, "Linear")
    taps.enter("block.act", {"input": wide}, "ReLU")
    wide.clamp_(min=0)
    taps.leave(wide)
    if mask is not None:
        wide = wide * mask[..., None]
    mixed = x + scale * wide
    normed = F.layer_norm(mixed, (48,), block.norm.weight, block.norm.bias, 1e-5)
    taps.tap("block.norm", normed, {"input": mixed}, "LayerNorm")
    result = normed, None, Kept(wide.transpose(0, 1), wide.to(torch.bfloat16))
    taps.leave(result)
    return result


def forward_by_hand(model, taps, ids, mask, labels):
    taps.enter("", {"ids": ids, "mask": mask, "labels": labels}, "Model")
    x = F.embedding(ids, model.embed.weight)
    taps.tap("embed", x, {"input": ids}, "Embedding")
    x = x + model.offset
    x, _, first = block_by_hand(model.block, taps, {"x": x, "mask": mask})
    x, _, second = block_by_hand(model.block, taps, {"x": x, "scale": 0.5, "mask": None})
    x.clamp_(max=2.5)
    logits = F.linear(x, model.out.weight)
    taps.tap("out", logits, {"input": x}, "Linear")
    result = Result(logits, (first, [second.half, x]))
    taps.leave(result)
    return result
'''

CHILD = """
import importlib.abc
import sys


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("porting", "transformers", "safetensors"):
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Absent())
folder, target, threads = sys.argv[1:]
sys.path.append(folder)
import model
import record
import torch

torch.set_num_threads(int(threads))
given = model.inputs()
record.record(model.build(), given, target, valid_positions=given["mask"])
"""

PORTFILE = """
ORIGINAL_PYTHON = {python!r}


def original():
    import model
    import torch

    torch.set_num_threads({threads})
    return model.build()


def ported(): ...


def inputs():
    import model

    return model.inputs()


def valid_positions(inputs):
    return inputs["mask"]
"""
LABELS = [
    "", "embed", "block", "block.linear", "block.act", "block.norm", "block#1", "block.linear#1", "block.act#1",
    "block.norm#1", "out",
]  # fmt: skip


def in_child(folder: Path, code: ModuleType) -> Trace:
    """Recorded where porting, transformers and safetensors cannot be imported."""
    (folder / "record.py").write_bytes(SOURCE.read_bytes())
    (folder / "child.py").write_text(CHILD)
    arguments = [str(folder), str(folder / "child"), str(torch.get_num_threads())]
    child = [sys.executable, "-I", str(folder / "child.py"), *arguments]
    done = subprocess.run(child, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return open_trace(folder / "child")


def by_original_python(folder: Path, code: ModuleType) -> Trace:
    """Recorded as the portfile's original in another interpreter."""
    text = PORTFILE.format(python=sys.executable, threads=torch.get_num_threads())
    (folder / "portfile.py").write_text(text)
    portfile = Portfile.load(folder / "portfile.py")
    portfile.answers["inputs"] = code.inputs()
    return record_original(portfile, folder / "original")


def by_recorder(folder: Path, code: ModuleType) -> Trace:
    """Recorded in this process by the recorder's hooks."""
    given = code.inputs()
    return open_trace(recorder.record(code.build(), given, str(folder / "here"), valid_positions=given["mask"]))


def by_wrapping(folder: Path, code: ModuleType) -> Trace:
    """Recorded as under a torch whose hooks see no keyword arguments."""
    given = code.inputs()
    target = recorder.record(code.build(), given, folder / "here", valid_positions=given["mask"], wrap_forward=True)
    return open_trace(target)


def by_hand(folder: Path, code: ModuleType) -> Trace:
    """Recorded by taps in a forward that calls no module."""
    model, given = code.build(), code.inputs()
    with recorder.Recorder(folder / "taps", model="model.Model") as taps, torch.no_grad():
        for path, module in model.named_modules():
            for name, tensor in module.named_parameters(recurse=False):
                taps.parameter(path, name, tensor)
            for name, tensor in module.named_buffers(recurse=False):
                taps.parameter(path, name, tensor, "buffer")
        taps.result(inputs=given, valid_positions=given["mask"])
        taps.result(outputs=code.forward_by_hand(model, taps, **given))
    return open_trace(folder / "taps")


WAYS = {way.__name__: way for way in (in_child, by_original_python, by_recorder, by_wrapping, by_hand)}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The model's module, as every interpreter runs it."""
    path = tmp_path_factory.mktemp("three") / "model.py"
    path.write_text(MODEL)
    module = ModuleType("model")
    module.__file__ = str(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "model", module)  # dataclasses look their module up
        exec(compile(MODEL, str(path), "exec"), vars(module))
    return module


@pytest.fixture(scope="module")
def hooked(code: ModuleType) -> Trace:
    """The model captured by hooks."""
    given = code.inputs()
    return capture(code.build(), given, valid_positions=given["mask"], side="original")


@pytest.mark.parametrize("way", WAYS)
def test_every_tensor_of_every_call_has_the_same_bits(
    way: str, code: ModuleType, hooked: Trace, tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    other = WAYS[way](tmp_path, code)
    assert [call.label for call in hooked.calls] == LABELS
    assert calls(other) == calls(hooked)
    assert parameters(other) == parameters(hooked)
    assert bits(other, other.inputs) == bits(hooked, hooked.inputs)
    assert bits(other, other.outputs) == bits(hooked, hooked.outputs)
    valid, expected = other.valid_positions(), hooked.valid_positions()
    assert valid is not None
    assert expected is not None
    assert torch.equal(valid, expected)


def test_the_snapshots_are_from_before_the_writes(hooked: Trace) -> None:
    made, act, norm, out = (
        hooked.calls[LABELS.index(each)] for each in ("block.linear", "block.act", "block#1", "out")
    )
    written = hooked.tensor(act.outputs.leaves[0])
    assert float(hooked.tensor(made.outputs.leaves[0]).min()) < 0 == float(written.min())
    assert float(hooked.tensor(norm.outputs.leaves[0]).max()) > 2.5 == float(hooked.tensor(out.inputs.leaves[0]).max())


def calls(trace: Trace) -> list[Any]:
    return [
        (call.label, call.step, call.class_name, call.parent, bits(trace, call.inputs), bits(trace, call.outputs))
        for call in trace.calls
    ]


def bits(trace: Trace, value: Value) -> tuple[Mapping[str, Any], list[Any]]:
    """A value's structure and its leaves, every tensor as its bytes."""
    leaves: list[Any] = []
    for leaf in value.leaves:
        content = None if leaf.tensor is None else as_bytes(trace.tensor(leaf)).numpy().tobytes()
        leaves.append((leaf.name, leaf.dtype, leaf.shape, leaf.strides, leaf.value, leaf.type_name, content))
    return value.structure, leaves


def parameters(trace: Trace) -> dict[str, Any]:
    """Name, kind and checksum of every module's parameters and buffers."""
    return {
        path: [(each.name, each.kind, each.dtype, each.shape, each.sketch and each.sketch.crc32) for each in held]
        for path, module in trace.modules.items()
        if (held := module.parameters)
    }
