from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tracing import Edit, content, edited, put, returned, small

from porting.errors import OutputError, TraceError
from porting.tensorfiles import read_header
from porting.trace import open_trace, save_trace
from porting.trace.folders import MANIFEST


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


FLIPS = 10_000


def _loads(folder: Path) -> bool:
    """Whether the trace opens, and every tensor in it can be read."""
    try:
        trace = open_trace(folder)
        return all(trace.tensors[key] is not None for key in trace.tensors)
    except TraceError:
        return False


@pytest.mark.parametrize("quarter", range(4))
def test_every_flipped_bit_is_noticed(quarter: int, tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    random = np.random.default_rng(quarter)
    files = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    for number in range(FLIPS // 4):
        path = list(files)[number % len(files)]
        whole = files[path]
        position, bit = int(random.integers(len(whole))), 1 << int(random.integers(8))
        path.write_bytes(whole[:position] + bytes([whole[position] ^ bit]) + whole[position + 1 :])
        assert not _loads(folder), f"bit {bit} of byte {position} of {path.name}"
        path.write_bytes(whole)
    assert _loads(folder)


@pytest.mark.parametrize("remainder", range(4))
def test_every_truncation_is_noticed(remainder: int, tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for length in range(remainder, len(whole), 4):
            path.write_bytes(whole[:length])
            assert not _loads(folder), f"{length} bytes of {path.name}"
        path.write_bytes(whole + b" ")
        assert not _loads(folder), f"one byte more in {path.name}"
        path.write_bytes(whole)
    assert _loads(folder)


def test_a_manifest_of_another_layout_is_read_by_its_content(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    expected = content(open_trace(folder))
    manifest = edited(folder, lambda document: None) / MANIFEST
    manifest.write_text(manifest.read_text() + "\n")
    assert content(open_trace(folder)) == expected


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


def _rename_shard(name: str) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        document["shards"][name] = document["shards"].pop("tensors-00001.safetensors")

    return edit


LIES = {
    "another format": put("format", 2),
    "failed without failure": put("status", "failed"),
    "no calls": put("calls", None),
    "parent that is not there": put("calls", 1, "parent", 7),
    "own parent": put("calls", 1, "parent", 1),
    "too few leaves": put("calls", 1, "inputs", "leaves", []),
    "unknown structure": put("calls", 1, "outputs", "structure", {"kind": "set"}),
    "another dtype": put("calls", 1, "outputs", "leaves", 0, "dtype", "float16"),
    "another shape": put("calls", 1, "outputs", "leaves", 0, "shape", [2, 1]),
    "no such shard": put("calls", 1, "outputs", "leaves", 0, "shard", "tensors-00002.safetensors"),
    "no such key": put("calls", 1, "outputs", "leaves", 0, "key", "absent"),
    "another checksum": put("calls", 1, "outputs", "leaves", 0, "crc32", 1),
    "noise of one number": put("calls", 1, "outputs", "leaves", 0, "noise", {"batch": [1.0]}),
    "negative noise": put("calls", 1, "outputs", "leaves", 0, "noise", {"batch": [-1.0, 1.0]}),
    "infinite noise": put("calls", 1, "outputs", "leaves", 0, "noise", {"batch": [1.0, 10**400]}),
    "noise in words": put("calls", 1, "outputs", "leaves", 0, "noise", {"batch": ["1", True]}),
    "noise without a kind": put("calls", 1, "outputs", "leaves", 0, "noise", [[1.0, 1.0]]),
    "sketch without axes": put("modules", 1, "parameters", 0, "sketch", "axes", []),
    "valid of another shape": put("valid", "shape", [1]),
    "shard of another size": put("shards", "tensors-00001.safetensors", "bytes", 1),
    "shard with another header": put("shards", "tensors-00001.safetensors", "header_sha256", "00"),
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


def test_structures_and_leaves_may_stand_where_they_are_used(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    expected = content(open_trace(folder))
    assert content(open_trace(edited(folder, lambda document: None))) == expected


@pytest.mark.parametrize(
    ("name", "number"), [("leaves", [7]), ("leaves", [-1]), ("structure", 99), ("leaves", [True])]
)
def test_a_number_that_no_table_has_is_refused(name: str, number: Any, tmp_path: Path) -> None:
    def misnumber(document: dict[str, Any]) -> None:
        document["outputs"][name] = number

    folder = edited(save_trace(small(), tmp_path / "trace"), misnumber, inline=False)
    with pytest.raises(TraceError, match=r"outputs.*(there are \d+|and must be)"):
        open_trace(folder)


def test_a_manifest_that_no_reader_would_take_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_trace(returned(it=torch.ones(3)), tmp_path / "trace")
    monkeypatch.setattr("porting.trace.manifest.MAX_MANIFEST_BYTES", 1000)
    with pytest.raises(OutputError, match="no reader takes more than 1,000") as caught:
        save_trace(small(), tmp_path / "trace")
    assert "--no-inputs" in caught.value.hint
    assert content(open_trace(tmp_path / "trace")) == content(returned(it=torch.ones(3)))


def test_an_honest_edit_is_accepted(tmp_path: Path) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), put("run", "side", "ported"))
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
