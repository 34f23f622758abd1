from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from porting.errors import CheckpointError
from porting.weights import read_headers

if TYPE_CHECKING:
    from pathlib import Path


def shard(path: Path, *names: str) -> Path:
    save_file({name: torch.full((2, 3), float(i)) for i, name in enumerate(names)}, path)
    return path


def index(folder: Path, weight_map: Any, name: str = "model.safetensors.index.json") -> Path:
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": 48}, "weight_map": weight_map}))
    return path


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    shard(tmp_path / "model-00001-of-00002.safetensors", "a")
    shard(tmp_path / "model-00002-of-00002.safetensors", "b")
    names = {"b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors"}
    return index(tmp_path, names)


def test_a_file_gives_names_shapes_and_torch_dtypes(tmp_path: Path) -> None:
    path = tmp_path / "any.safetensors"
    save_file({"w": torch.zeros(2, 3, dtype=torch.bfloat16), "n": torch.tensor(1)}, path)
    headers = read_headers(path)
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in headers.tensors.items()} == {
        "w": ("bfloat16", (2, 3)),
        "n": ("int64", ()),
    }
    assert headers.read("n").item() == 1


def test_an_index_gives_the_tensors_of_its_shards_in_its_order(sharded: Path) -> None:
    headers = read_headers(sharded)
    assert list(headers.tensors) == ["b", "a"]
    assert headers.tensors["a"].file.name == "model-00001-of-00002.safetensors"
    assert read_headers(sharded.parent) == headers


def test_no_tensor_data_is_read(sharded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = os.pread

    def counting(descriptor: int, length: int, offset: int) -> bytes:
        read.append(length)
        return original(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", counting)
    monkeypatch.setattr(os, "preadv", lambda *args: pytest.fail("tensor data was read"))
    read_headers(sharded)
    sizes = [path.stat().st_size for path in sharded.parent.glob("*.safetensors")]
    assert sum(read) == sum(sizes) - 2 * 24 + sharded.stat().st_size


def test_a_hub_cache_links_its_shards_to_blobs(sharded: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--org--name" / "snapshots" / "abc"
    blobs = tmp_path / "models--org--name" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in [*tmp_path.glob("*.safetensors"), sharded]:
        path.rename(blobs / f"hash-of-{path.name}")
        (snapshot / path.name).symlink_to(f"../../blobs/hash-of-{path.name}")
    assert set(read_headers(snapshot).tensors) == {"a", "b"}


def test_in_a_folder_the_usual_names_come_first(sharded: Path, tmp_path: Path) -> None:
    shard(tmp_path / "model.safetensors", "single")
    assert read_headers(tmp_path).path == sharded
    sharded.unlink()
    assert read_headers(tmp_path).path == tmp_path / "model.safetensors"


def test_the_ending_th_is_one_of_torch_too(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(2, 3)}, tmp_path / "codec.th")
    assert read_headers(tmp_path).tensors["x"].shape == (2, 3)


def test_in_a_folder_the_only_file_is_taken(tmp_path: Path) -> None:
    only = shard(tmp_path / "brand_new.safetensors", "x")
    assert read_headers(tmp_path).path == only


def test_a_folder_of_several_or_none_says_so(sharded: Path, tmp_path: Path) -> None:
    sharded.unlink()
    with pytest.raises(CheckpointError, match="holds 2 checkpoints"):
        read_headers(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        read_headers(tmp_path / "empty")


@pytest.mark.parametrize("name", ["model.h5", "flax_model.msgpack", "model.ckpt.index", "saved_model.pb", "w.gguf"])
def test_formats_that_are_not_read_say_how_to_convert_them(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"anything")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(CheckpointError, match="which is not read") as error:
            read_headers(path)
        assert "safetensors.numpy.save_file" in error.value.hint


def test_missing_paths_unknown_files_and_pipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        read_headers(tmp_path / "none")
    with pytest.raises(CheckpointError, match="File name too long"):
        read_headers("x" * 5000)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointError, match="known format"):
        read_headers(tmp_path / "notes.txt")
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError, match="not a regular file"):
        read_headers(tmp_path / "pipe.safetensors")


def test_a_truncated_shard_is_refused(sharded: Path) -> None:
    path = sharded.parent / "model-00001-of-00002.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(CheckpointError, match="accounts for"):
        read_headers(sharded)


def test_a_missing_shard_is_named(sharded: Path) -> None:
    (sharded.parent / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00001-of-00002\.safetensors: No such file") as raised:
        read_headers(sharded)
    assert raised.value.hint == "fetch what model.safetensors.index.json names into its folder"


def test_missing_shards_are_counted_before_any_is_read(sharded: Path) -> None:
    for shard in sharded.parent.glob("*.safetensors"):
        shard.unlink()
    with pytest.raises(CheckpointError, match=r"No such file or directory \(shards that are missing: 2\)"):
        read_headers(sharded)


@pytest.mark.parametrize(
    "path",
    [
        "../outside/x.safetensors",
        "a/../../outside/x.safetensors",
        "/outside/x.safetensors",
        "C:/x.safetensors",
        "C:x.safetensors",
        "..\\outside\\x.safetensors",
        "\\\\server\\x.safetensors",
        "x\x00.safetensors",
        "\x1b[31mx.safetensors",
        "x.bin",
        "",
        ".",
    ],
)
def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    shard(tmp_path / "outside" / "x.safetensors", "x")
    (tmp_path / "inside").mkdir()
    with pytest.raises(CheckpointError, match="not a valid index") as error:
        read_headers(index(tmp_path / "inside", {"x": path}))
    assert error.value.message.isprintable()


def test_a_link_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside, inside = tmp_path / "checkpoint-2", tmp_path / "checkpoint"
    outside.mkdir()
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    (inside / "model.safetensors").symlink_to(shard(outside / "x.safetensors", "x"))
    for given in ("folder/x.safetensors", "model.safetensors"):
        with pytest.raises(CheckpointError, match="link to a file outside"):
            read_headers(index(inside, {"x": given}, "other.safetensors.index.json"))
    with pytest.raises(CheckpointError, match="link to a file outside"):
        read_headers(inside)
    assert set(read_headers(inside / "model.safetensors").tensors) == {"x"}


def test_a_link_to_itself_ends_in_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").symlink_to("x.safetensors")
    with pytest.raises(CheckpointError, match="Too many levels"):
        read_headers(index(tmp_path, {"x": "x.safetensors"}))


def test_index_and_shards_must_agree(tmp_path: Path) -> None:
    shard(tmp_path / "1.safetensors", "a", "b")
    shard(tmp_path / "2.safetensors", "b", "c")
    cases = {
        "b lies in 2": {"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"},
        "b lies in 1": {"a": "1.safetensors"},
        "2 tensors that its shards lack, x": dict.fromkeys("abxy", "1.safetensors"),
    }
    for message, weight_map in cases.items():
        with pytest.raises(CheckpointError, match=message):
            read_headers(index(tmp_path, weight_map))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b'{"weight_map": {"a": "1.safetensors", "a": "2.safetensors"}}', "twice"),
        (b'{"weight_map": {"a": "1.safetensors"}, "metadata": NaN}', "NaN"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no weight_map"),
        (b"{}", "no weight_map"),
        (b'{"weight_map": {}}', "no weight_map"),
        (b'{"weight_map": {"a": 1}}', "file names"),
    ],
    ids=lambda value: str(value[:30]),
)
def test_a_broken_index_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        read_headers(path)


def test_an_index_may_be_large_but_not_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_bytes(b"{}")
    os.truncate(path, (64 << 20) + 1)
    with pytest.raises(CheckpointError, match="more than"):
        read_headers(path)
