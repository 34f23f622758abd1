"""What torch.save writes is read as torch.load(weights_only=True) reads it."""

from __future__ import annotations

import argparse
import os
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from porting.errors import CheckpointError
from porting.weights import assert_loaded, check_weights, read_headers

if TYPE_CHECKING:
    from pathlib import Path

    from porting.weights import CheckpointHeaders

SHARED = torch.arange(24.0)
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
DTYPES = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.float8_e4m3fnuz, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint64, torch.uint32,
    torch.uint16, torch.uint8, torch.bool, torch.complex128, torch.complex64,
)  # fmt: skip
ORDINARY: dict[str, Any] = {
    **{str(dtype): torch.arange(6).to(dtype).reshape(2, 3) for dtype in DTYPES},
    "parameter": torch.nn.Parameter(torch.randn(3, 4)),
    "buffer": torch.nn.Buffer(torch.randn(2)),
    "transposed": torch.randn(3, 4).t(),
    "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
    "slice": SHARED[4:10],
    "columns": SHARED.view(4, 6)[:, 1:4:2],
    "whole": SHARED,
    "expanded": torch.ones(1, 3).expand(4, 3),
    "number": torch.tensor(3),
    "empty": torch.empty(0, 3),
    "conjugated": torch.randn(3, dtype=torch.complex64).conj(),
    "negated": torch.randn(3, dtype=torch.complex64).conj().imag,
    "negated whole": torch._neg_view(torch.randn(3)),
    "name with \x1b[31m": torch.ones(1),
}


REFUSED: dict[str, tuple[Any, str]] = {
    "a tensor": (torch.ones(2), "without a name"),
    "a list": ([torch.ones(2)], "no state dict"),
    "no tensors": ({"epoch": 3}, "no state dict"),
    "nothing": ({}, "no state dict"),
    "numbers for names": ({"model": {0: torch.ones(1)}}, "not text"),
    "a module": (torch.nn.Linear(1, 1), "code of torch.nn.modules.linear.Linear"),
    "a namespace": ({"w": torch.ones(1), "args": argparse.Namespace(lr=1)}, "code of argparse.Namespace"),
    "a numpy scalar": ({"w": torch.ones(1), "loss": np.float64(1)}, "numpy"),
    "a sparse tensor": ({"w": torch.eye(2).to_sparse()}, "_rebuild_sparse_tensor"),
    "a meta tensor": ({"w": torch.ones(2, device="meta")}, "_rebuild_meta_tensor_no_storage"),
}


def same_bytes(one: torch.Tensor, other: torch.Tensor) -> bool:
    raw = [x.detach().resolve_conj().resolve_neg().contiguous().flatten().view(torch.uint8) for x in (one, other)]
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*raw)


def assert_as_torch_loads(headers: CheckpointHeaders, path: Path, *keys: str) -> None:
    loaded = torch.load(path, weights_only=True)
    for key in keys:
        loaded = loaded[key]
    assert_holds(headers, loaded)


def assert_holds(headers: CheckpointHeaders, loaded: dict[str, Any]) -> None:
    assert list(headers.tensors) == [name for name, value in loaded.items() if isinstance(value, torch.Tensor)]
    for name, entry in headers.tensors.items():
        assert (entry.dtype, entry.shape) == (str(loaded[name].dtype)[6:], tuple(loaded[name].shape)), name
        assert same_bytes(headers.read(name), loaded[name]), name
        whole = torch.frombuffer(bytearray(b"".join(map(bytes, headers.chunks(name))) or b"\0"), dtype=torch.uint8)
        assert same_bytes(whole, headers.read(name).flatten().view(torch.uint8)) or 0 in entry.shape, name


@FORMATS
def test_every_ordinary_tensor_is_read_as_torch_reads_it(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.bin"
    torch.save(ORDINARY, path, _use_new_zipfile_serialization=zipped)
    headers = read_headers(tmp_path)
    assert_holds(headers, ORDINARY)
    if zipped:  # torch itself fails to load its newest dtypes in its older format
        assert_as_torch_loads(headers, path)
    assert headers.remarks == []
    assert headers.read("transposed").is_contiguous()


@FORMATS
def test_the_state_dict_of_a_module_is_read_with_its_metadata(tmp_path: Path, zipped: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 3, bias=False))
    model[2].register_parameter("weight", torch.nn.Parameter(torch.randn(3, 3).t()))
    path = tmp_path / "model.pth"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=zipped)
    assert_as_torch_loads(read_headers(path), path)
    assert check_weights(path, model).ok
    assert assert_loaded(model, path).ok


def test_tied_tensors_and_attributes_of_tensors_are_read(tmp_path: Path) -> None:
    tensor, tagged = torch.randn(3), torch.randn(2)
    tagged.origin = "somewhere"  # type: ignore[attr-defined]
    path = tmp_path / "model.pt"
    torch.save(OrderedDict(a=tensor, b=tensor, tagged=tagged), path)
    assert_as_torch_loads(read_headers(path), path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_that_torch_can_write_is_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.ckpt"
    extra = {"bytes": b"x", "set": {1, 2}, "float": 1.5, "long": -(2**70), "none": None, "flags": (True, False)}
    state = {"w": torch.ones(2), "h": torch.ones(2, dtype=torch.float16)}
    torch.save({"state_dict": state, "about": [extra, "x" * 300]}, path, pickle_protocol=protocol)
    headers = read_headers(path)
    assert list(headers.tensors) == ["w", "h"]
    assert headers.read("h").tolist() == [1, 1]


@FORMATS
@pytest.mark.parametrize("key", ["model", "state_dict", "module", "params", "anything"])
def test_the_weights_are_found_beside_other_things(tmp_path: Path, key: str, zipped: bool) -> None:
    state = {"w": torch.randn(2), "b": torch.randn(3)}
    path = tmp_path / "model.pt"
    held: dict[str, Any] = {"epoch": 3, key: state, "counts": Counter("aab"), "losses": [0.5] * 2000}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    headers = read_headers(path)
    assert_as_torch_loads(headers, path, key)
    (remark,) = headers.remarks
    assert remark.code == "nested"
    assert key in remark.message


def test_an_optimizer_beside_the_weights_is_passed_by_and_named(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    path = tmp_path / "last.ckpt"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 1}, path)
    report = check_weights(path, model)
    assert report.ok
    assert "passed by: 'optimizer'" in report.warnings[0].message


def test_several_state_dicts_are_named_and_none_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "gan.pt"
    torch.save({"generator": {"w": torch.ones(1)}, "discriminator": {"w": torch.ones(1)}}, path)
    with pytest.raises(CheckpointError, match="'generator', 'discriminator'"):
        read_headers(path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_state_dict_is_refused_and_says_why(tmp_path: Path, name: str) -> None:
    value, why = REFUSED[name]
    path = tmp_path / "model.pt"
    torch.save(value, path)
    with pytest.raises(CheckpointError, match=why) as error:
        read_headers(path)
    assert ("--allow-pickle-code" in error.value.hint) is (" code of " in error.value.message)


def test_other_entries_of_a_state_dict_are_left_out_with_a_remark(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"w": torch.ones(1), "epoch": 3, "more": {"v": torch.ones(1)}}, path)
    headers = read_headers(path)
    assert list(headers.tensors) == ["w"]
    assert [(remark.code, "'epoch', 'more'" in remark.message) for remark in headers.remarks] == [
        ("not-a-tensor", True)
    ]


def test_booleans_of_other_bytes_are_true_and_said_so_once_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    flags = torch.tensor([0, 1, 2, 255], dtype=torch.uint8).view(torch.bool)
    torch.save({"flags": flags}, path)
    headers = read_headers(path)
    assert headers.remarks == []
    assert headers.read("flags").view(torch.uint8).tolist() == [0, 1, 1, 1]
    assert b"".join(map(bytes, headers.chunks("flags"))) == b"\0\1\1\1"
    assert [remark.code for remark in headers.remarks] == ["bool-bytes"]


def test_the_shards_of_a_bin_index_are_read(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_model-1.bin")
    torch.save({"b": torch.zeros(3), "c": torch.ones(1)}, tmp_path / "pytorch_model-2.bin")
    torch.save(argparse.Namespace(lr=1), tmp_path / "training_args.bin")
    (tmp_path / "pytorch_model.bin.index.json").write_text(
        '{"metadata": {"total_size": 24}, "weight_map": '
        '{"b": "pytorch_model-2.bin", "a": "pytorch_model-1.bin", "c": "pytorch_model-2.bin"}}'
    )
    headers = read_headers(tmp_path)
    assert list(headers.tensors) == ["b", "a", "c"]
    assert headers.read("c").tolist() == [1]
    assert headers.remarks == []


def test_a_wrong_total_size_is_a_remark(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "1.bin")
    (tmp_path / "x.bin.index.json").write_text('{"metadata": {"total_size": 9}, "weight_map": {"a": "1.bin"}}')
    (remark,) = read_headers(tmp_path).remarks
    assert "9 bytes; they have 8" in remark.message


def test_no_data_of_a_large_file_is_read_for_its_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt"
    torch.save({"w": torch.ones(1 << 20), "v": torch.ones(1 << 20)}, path)
    monkeypatch.setattr("porting.weights.formats.torchstorages.WHOLE_FILE_BYTES", 1 << 20)
    read: list[int] = []
    original = os.pread

    def counting(descriptor: int, length: int, offset: int) -> bytes:
        read.append(length)
        return original(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", counting)
    headers = read_headers(path)
    assert sum(read) < 80_000
    assert headers.read("w").sum() == 1 << 20
    assert sum(read) < 10 << 20


def test_a_damaged_tensor_of_a_large_file_is_found_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pt"
    torch.save({"good": torch.zeros(1000), "bad": torch.full((1000,), 7.0)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.full((9,), 7.0).numpy().tobytes()) + 99] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"data/1.*damaged"):
        read_headers(path)
    monkeypatch.setattr("porting.weights.formats.torchstorages.WHOLE_FILE_BYTES", 100)
    headers = read_headers(path)
    assert headers.read("good").sum() == 0
    for use in (headers.read, lambda name: list(headers.chunks(name))):
        with pytest.raises(CheckpointError, match=r"'?bad'?.*damaged"):
            use("bad")
