from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from porting import capture
from porting.errors import CaptureError, OutputError, TraceError
from porting.tensorfiles import read_header
from porting.trace import Trace, open_trace, save_trace, writing
from porting.trace.model import ModuleInfo, Value
from porting.trace.writing import MANIFEST, manifest_hash

Edit = Callable[[dict[str, Any]], None]


class Returning(nn.Module):
    """Returns what it was made with, whatever it is given."""

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.values = [values]

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return self.values[0]


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.second(self.first(x))


def returned(**values: Any) -> Trace:
    return capture(Returning(**values), (torch.ones(1),))


def small() -> Trace:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    return capture(model, (torch.ones(1, 2),), valid_positions=torch.tensor([[True, False]]), side="original")


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    return tensor.dtype, tuple(tensor.shape), bytes(writing.tensor_bytes(tensor.contiguous()))


def content(trace: Trace) -> dict[str, Any]:
    """All that a trace says, in a form that can be compared."""

    def value(each: Value) -> Any:
        leaves = [
            (leaf.name, leaf.dtype, leaf.shape, leaf.strides, leaf.value, leaf.type_name) for leaf in each.leaves
        ]
        return each.structure, leaves, [bits(trace.tensor(leaf)) for leaf in each.tensor_leaves()]

    def module(each: ModuleInfo) -> Any:
        parameters = [
            (
                p.name,
                p.kind,
                p.dtype,
                p.shape,
                p.tied_to,
                p.sketch and (p.sketch.crc32, *map(np.ndarray.tobytes, p.sketch.axes)),
            )
            for p in each.parameters
        ]
        return each.class_name, each.training, each.alias_of, dict(each.settings), parameters

    valid = trace.valid_positions()
    return {
        "calls": [(c.index, *c.key, c.class_name, c.parent, value(c.inputs), value(c.outputs)) for c in trace.calls],
        "modules": [(path, module(info)) for path, info in trace.modules.items()],
        "inputs": value(trace.inputs),
        "outputs": value(trace.outputs),
        "run": dict(trace.run),
        "valid": None if valid is None else bits(valid),
        "failure": trace.failure,
    }


def edited(folder: Path, edit: Edit) -> Path:
    """Change the manifest and make its hash right again."""
    path = folder / MANIFEST
    document = json.loads(path.read_text())
    edit(document)
    document["sha256"] = manifest_hash(document)
    path.write_text(json.dumps(document))
    return folder


def only(folder: Path, *names: str) -> bool:
    return sorted(entry.name for entry in folder.iterdir()) == sorted(names)


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
    monkeypatch.setattr(writing, "SHARD_BYTES", 100)
    said: list[str] = []
    trace = returned(**{f"t{index}": torch.full((20,), float(index)) for index in range(4)})
    folder = save_trace(trace, tmp_path / "trace", said.append)
    shards = sorted(path.name for path in folder.glob("*.safetensors"))
    assert shards == [f"tensors-{number:05d}.safetensors" for number in range(1, len(shards) + 1)]
    assert len(shards) == len(said) >= 4
    assert content(open_trace(folder)) == content(trace)


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


def test_an_earlier_trace_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "trace"
    save_trace(returned(**{f"t{index}": torch.full((3,), index) for index in range(5)}), folder)
    save_trace(small(), folder)
    assert content(open_trace(folder)) == content(small())
    assert only(tmp_path, "trace")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "trace").mkdir()
    assert content(open_trace(save_trace(small(), tmp_path / "trace"))) == content(small())


def a_folder_with_other_files(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")


def a_trace_with_other_files(place: Path) -> None:
    save_trace(small(), place)
    (place / "notes.txt").write_text("mine")


def a_web_application(place: Path) -> None:
    place.mkdir()
    (place / MANIFEST).write_text('{"name": "mine"}')


def a_file(place: Path) -> None:
    place.write_text("mine")


def a_link_to_a_trace(place: Path) -> None:
    place.symlink_to(save_trace(small(), place.with_name("real")))


def a_dangling_link(place: Path) -> None:
    place.symlink_to("nowhere")


def shards_without_a_manifest(place: Path) -> None:
    (save_trace(small(), place) / MANIFEST).unlink()


@pytest.mark.parametrize(
    "make",
    [
        a_folder_with_other_files,
        a_trace_with_other_files,
        a_web_application,
        a_file,
        a_link_to_a_trace,
        a_dangling_link,
        shards_without_a_manifest,
    ],
)
def test_anything_else_is_not_replaced(make: Callable[[Path], None], tmp_path: Path) -> None:
    place = tmp_path / "trace"
    make(place)
    before = sorted((path, path.lstat().st_mtime_ns, path.lstat().st_size) for path in tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="exists and is not a trace"):
        save_trace(small(), place)
    assert sorted((path, path.lstat().st_mtime_ns, path.lstat().st_size) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["file/trace", "x" * 250, "x" * 300])
def test_a_place_that_cannot_be_written_is_an_output_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*: "):
        save_trace(small(), tmp_path / name)
    assert only(tmp_path, "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_that_may_not_be_written_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        save_trace(small(), tmp_path / "trace")
    assert only(tmp_path)


def test_a_mkdir_that_is_refused_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        save_trace(small(), tmp_path / "trace")
    assert only(tmp_path)


INTERRUPTIONS = [
    (OSError(28, "No space left on device"), OutputError),
    (SafetensorError("I/O error: No space left on device"), OutputError),
    (KeyboardInterrupt(), KeyboardInterrupt),
]


@pytest.mark.parametrize(("error", "expected"), INTERRUPTIONS)
@pytest.mark.parametrize("place", ["save_file", "_sync", "_write_text", "rename", "rename again", "fsync"])
@pytest.mark.parametrize("earlier", [True, False])
def test_interrupted_writing_leaves_what_was_there(
    error: BaseException,
    expected: type[BaseException],
    place: str,
    earlier: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if earlier:
        save_trace(returned(it=torch.ones(3)), tmp_path / "trace")
    _interrupt(monkeypatch, place, error)
    with pytest.raises(expected, match="No space left on device" if expected is OutputError else None):
        save_trace(small(), tmp_path / "trace")
    monkeypatch.undo()
    assert only(tmp_path, *(["trace"] if earlier else []))
    if earlier:
        assert content(open_trace(tmp_path / "trace")) == content(returned(it=torch.ones(3)))


def _interrupt(monkeypatch: pytest.MonkeyPatch, place: str, error: BaseException) -> None:
    """Have ``error`` raised by a step of the writing; a shard is half written by then."""

    def halfway(tensors: dict[str, torch.Tensor], path: Path) -> None:
        save_file(tensors, path)
        os.truncate(path, path.stat().st_size // 2)
        raise error

    def fails(*_: Any) -> Any:
        raise error

    def fails_to_move_in(self: Path, target: Path) -> Any:
        if ".partial-" in self.name:
            raise error
        return self.replace(target)

    if place == "rename":
        monkeypatch.setattr(Path, "rename", fails_to_move_in)
    elif place == "rename again":
        monkeypatch.setattr(writing, "_sync", _sync_then(writing._sync, error))
    elif place == "fsync":
        monkeypatch.setattr(os, "fsync", fails)
    else:
        monkeypatch.setattr(writing, place, halfway if place == "save_file" else fails)


def _sync_then(sync: Callable[[Path], None], error: BaseException) -> Callable[[Path], None]:
    """Fails at the folder, when the shards are there."""

    def at_the_folder(path: Path) -> None:
        sync(path)
        if path.is_dir():
            raise error

    return at_the_folder


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    for kind in ("partial", "replaced"):
        stale = tmp_path / f"trace.{kind}-{os.getpid()}"
        stale.mkdir()
        (stale / "tensors-00001.safetensors").write_bytes(b"half")
    save_trace(small(), tmp_path / "trace")
    assert content(open_trace(save_trace(small(), tmp_path / "trace"))) == content(small())
    assert only(tmp_path, "trace")


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    (folder / MANIFEST).unlink()
    with pytest.raises(TraceError, match="holds no finished trace"):
        open_trace(folder)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="does not exist"):
        open_trace(tmp_path / "trace")
    with pytest.raises(TraceError, match="cannot be read"):
        open_trace(tmp_path / ("x" * 300))


def test_the_files_have_the_rights_of_ordinary_files(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    folder = save_trace(small(), tmp_path / "trace")
    assert {path.stat().st_mode for path in folder.iterdir()} == {(tmp_path / "ordinary").stat().st_mode}


def _read_all(folder: Path) -> dict[str, Any] | None:
    """The content, or None where opening or reading says that the trace is damaged."""
    try:
        return content(open_trace(folder))
    except TraceError:
        return None


def test_no_changed_byte_goes_unnoticed(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    expected = content(open_trace(folder))
    random = np.random.default_rng(0)
    noticed = 0
    for path in folder.iterdir():
        whole = path.read_bytes()
        for position in random.integers(len(whole), size=200):
            damaged = bytearray(whole)
            damaged[position] ^= random.integers(1, 256)
            path.write_bytes(damaged)
            found = _read_all(folder)
            assert found in (None, expected), f"byte {position} of {path.name}"
            noticed += found is None
        path.write_bytes(whole)
    assert noticed >= 300  # what goes through is white space in the manifest, or its escapes
    assert _read_all(folder) == expected


def test_no_truncation_goes_unnoticed(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    random = np.random.default_rng(1)
    for path in folder.iterdir():
        whole = path.read_bytes()
        for length in [0, len(whole) - 1, *random.integers(len(whole), size=28)]:
            path.write_bytes(whole[:length])
            assert _read_all(folder) is None, f"{length} bytes of {path.name}"
        path.write_bytes(whole + b" ")
        assert (_read_all(folder) is None) == (path.name != MANIFEST)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 2}',
        '{"format": 1, "format": 1}',
        '{"format": 1, "run": NaN}',
        '{"format": 1, "run": 1e999}',
        '{"format": 1, "sha256": "\\u00e9"}',
        '{"format": 1, "a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"format": 1, "a": ' + "[" * 900 + "]" * 900 + "}",
        "\ufeff{}",
    ],
)
def test_a_manifest_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(TraceError):
        open_trace(tmp_path)


def _set(*path: Any) -> Edit:
    """Set the last of ``path`` at the place that the others name."""

    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for key in path[:-2]:
            place = place[key]
        place[path[-2]] = path[-1]

    return edit


def _rename_shard(name: str) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        document["shards"][name] = document["shards"].pop("tensors-00001.safetensors")

    return edit


LIES = {
    "another format": _set("format", 2),
    "failed without failure": _set("status", "failed"),
    "no calls": _set("calls", None),
    "parent that is not there": _set("calls", 1, "parent", 7),
    "own parent": _set("calls", 1, "parent", 1),
    "too few leaves": _set("calls", 1, "inputs", "leaves", []),
    "unknown structure": _set("calls", 1, "outputs", "structure", {"kind": "set"}),
    "another dtype": _set("calls", 1, "outputs", "leaves", 0, "dtype", "float16"),
    "another shape": _set("calls", 1, "outputs", "leaves", 0, "shape", [2, 1]),
    "no such shard": _set("calls", 1, "outputs", "leaves", 0, "shard", "tensors-00002.safetensors"),
    "no such key": _set("calls", 1, "outputs", "leaves", 0, "key", "absent"),
    "another checksum": _set("calls", 1, "outputs", "leaves", 0, "crc32", 1),
    "sketch without axes": _set("modules", 1, "parameters", 0, "sketch", "axes", []),
    "valid of another shape": _set("valid", "shape", [1]),
    "shard of another size": _set("shards", "tensors-00001.safetensors", "bytes", 1),
    "shard with another header": _set("shards", "tensors-00001.safetensors", "header_sha256", "00"),
    "path traversal": _rename_shard("../tensors-00001.safetensors"),
    "absolute path": _rename_shard("/etc/passwd"),
    "name with a newline": _rename_shard("tensors-00001.safetensors\n"),
    "shard that is not there": _rename_shard("tensors-00002.safetensors"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_that_lies_is_refused(lie: str, tmp_path: Path) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), LIES[lie])
    with pytest.raises(TraceError):
        content(open_trace(folder))


def test_an_honest_edit_is_accepted(tmp_path: Path) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), _set("run", "side", "ported"))
    assert open_trace(folder).run["side"] == "ported"


def test_one_key_in_two_shards_is_refused(tmp_path: Path) -> None:
    folder = save_trace(returned(one=torch.zeros(2), other=torch.ones(2)), tmp_path / "trace")
    save_file({"t1": torch.ones(2)}, folder / "tensors-00002.safetensors")

    def claim(document: dict[str, Any]) -> None:
        header = read_header(folder / "tensors-00002.safetensors")
        document["shards"]["tensors-00002.safetensors"] = {"bytes": header.size, "header_sha256": header.sha256}
        leaves = document["outputs"]["leaves"]
        leaves[1] = {**leaves[1], "key": leaves[0]["key"], "shard": "tensors-00002.safetensors"}

    with pytest.raises(TraceError, match="said to be two"):
        open_trace(edited(folder, claim))


def test_a_shard_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    (shard,) = folder.glob("*.safetensors")
    shard.rename(tmp_path / shard.name)
    shard.symlink_to(tmp_path / shard.name)
    with pytest.raises(TraceError, match="is a link"):
        open_trace(folder)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    (folder / "tensors-00001.safetensors").unlink()
    with pytest.raises(TraceError, match=r"tensors-00001.safetensors"):
        open_trace(folder)


def test_a_shard_exchanged_after_opening_is_noticed(tmp_path: Path) -> None:
    trace = open_trace(save_trace(small(), tmp_path / "trace"))
    shard = tmp_path / "trace" / "tensors-00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100] + bytes(100))
    with pytest.raises(TraceError, match="does not have its checksum"):
        content(trace)
