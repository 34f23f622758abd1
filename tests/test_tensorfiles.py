from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from porting.errors import CheckpointError
from porting.tensorfiles import read_header, read_tensor

if TYPE_CHECKING:
    from pathlib import Path


def entry(start: int, stop: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, Any]:
    return {
        "dtype": dtype,
        "shape": [(stop - start) // 4] if shape is None else shape,
        "data_offsets": [start, stop],
    }


def write(path: Path, header: dict[str, Any] | bytes, data: bytes, length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + data)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.safetensors"


def test_a_plain_file_is_read(file: Path) -> None:
    data = torch.arange(6, dtype=torch.float32)
    write(file, {"a": entry(0, 8), "b": entry(8, 24, [2, 2])}, data.numpy().tobytes())
    header = read_header(file)
    assert list(header.tensors) == ["a", "b"]
    assert read_tensor(file, "b", header.tensors["b"]).tolist() == [[2, 3], [4, 5]]


BROKEN: dict[str, tuple[dict[str, Any] | bytes, bytes, int | None, str]] = {
    "overlap": ({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12), None, "overlap"),
    "same range twice": ({"a": entry(0, 8), "b": entry(0, 8)}, bytes(8), None, "overlap"),
    "hole": ({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12), None, "hole"),
    "hole at the start": ({"a": entry(4, 8)}, bytes(8), None, "hole"),
    "trailing bytes": ({"a": entry(0, 4)}, bytes(5), None, "accounts for"),
    "truncated data": ({"a": entry(0, 8)}, bytes(7), None, "accounts for"),
    "header longer than the file": ({"a": entry(0, 4)}, bytes(4), 1 << 40, "claims"),
    "header cut": ({"a": entry(0, 4)}, bytes(4), 10, "JSON"),
    "header length zero": ({"a": entry(0, 4)}, bytes(4), 0, "JSON"),
    "duplicate name": (
        (
            b'{"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},'
            b'"a":{"dtype":"BF16","shape":[3,2],"data_offsets":[0,12]}}'
        ),
        bytes(12),
        None,
        "twice",
    ),
    "duplicate field": (
        b'{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
        None,
        "twice",
    ),
    "unknown field": ({"a": {**entry(0, 4), "device": "cpu"}}, bytes(4), None, "is not dtype"),
    "unknown dtype": ({"a": entry(0, 4, [1], "F31")}, bytes(4), None, "unknown dtype"),
    "dtype not text": ({"a": {**entry(0, 4), "dtype": ["F32"]}}, bytes(4), None, "unknown dtype"),
    "shape larger than its bytes": ({"a": entry(0, 4, [2])}, bytes(4), None, "size of its byte range"),
    "negative shape": ({"a": entry(0, 4, [-1, -1])}, bytes(4), None, "shape"),
    "shape of booleans": ({"a": entry(0, 4, [True])}, bytes(4), None, "shape"),
    "fractional shape": (
        b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}',
        bytes(4),
        None,
        "shape",
    ),
    "offsets backwards": ({"a": {**entry(0, 4), "data_offsets": [4, 0]}}, bytes(4), None, "byte range"),
    "not an object": (b"[]", b"", None, "object"),
    "leading space": (b' {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4), None, "object"),
    "another encoding": ("{}".encode("utf-16-le"), b"", None, "JSON"),
    "invalid text": (b'{"\xff":{}}', b"", None, "JSON"),
    "NaN": (b'{"a":NaN}', b"", None, "NaN"),
    "nested deeply": (b'{"a":' + b"[" * 100_000, b"", None, "JSON"),
    "metadata of numbers": ({"__metadata__": {"a": 1}}, b"", None, "metadata"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_its_name_and_the_reason(file: Path, name: str) -> None:
    header, data, length, reason = BROKEN[name]
    write(file, header, data, length)
    with pytest.raises(CheckpointError, match=reason) as error:
        read_header(file)
    assert str(file) in error.value.message


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 8, b"{}"])
def test_a_file_too_short_for_a_header_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="header"):
        read_header(file)


def test_missing_files_folders_and_pipes_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    with pytest.raises(CheckpointError, match="No such file"):
        read_header(tmp_path / "none.safetensors")
    for path in (tmp_path, pipe):
        with pytest.raises(CheckpointError, match="not a regular file"):
            read_header(path)


def test_hostile_names_are_kept_as_data_and_escaped_in_messages(file: Path) -> None:
    write(file, {"\x1b[31mred\n\u202e": entry(0, 4, [9])}, bytes(4))
    with pytest.raises(CheckpointError) as error:
        read_header(file)
    assert r"\x1b[31mred\n\u202e" in error.value.message
    assert "\x1b" not in error.value.message


def test_tensors_without_elements_and_scalars_are_read(file: Path) -> None:
    save_file({"none": torch.empty(0, 3), "scalar": torch.tensor(7.0)}, file)
    header = read_header(file)
    assert read_tensor(file, "none", header.tensors["none"]).shape == (0, 3)
    assert read_tensor(file, "scalar", header.tensors["scalar"]).item() == 7.0


def test_an_empty_file_of_the_format_is_read(file: Path) -> None:
    save_file({}, file, metadata={"format": "pt"})
    header = read_header(file)
    assert not header.tensors
    assert header.metadata == {"format": "pt"}


@pytest.mark.parametrize(
    "dtype",
    [
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int64, torch.float16,
        torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2,
    ],
    ids=str,
)  # fmt: skip
def test_what_safetensors_writes_is_read_bit_for_bit(file: Path, dtype: torch.dtype) -> None:
    tensor = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.5, 1.5]]).to(dtype)
    save_file({"x": tensor}, file)
    again = read_tensor(file, "x", read_header(file).tensors["x"])
    assert again.dtype == dtype
    assert again.shape == tensor.shape
    assert torch.equal(again.view(torch.uint8), tensor.view(torch.uint8))


def test_a_file_that_shrinks_after_its_header_was_read_is_an_error(file: Path) -> None:
    save_file({"x": torch.ones(100)}, file)
    header = read_header(file)
    os.truncate(file, file.stat().st_size - 4)
    with pytest.raises(CheckpointError, match="ends within tensor x"):
        read_tensor(file, "x", header.tensors["x"])


def test_a_dtype_that_torch_lacks_is_named(file: Path) -> None:
    write(file, {"x": entry(0, 1, [2], "F4")}, bytes(1))
    with pytest.raises(CheckpointError, match="F4"):
        read_tensor(file, "x", read_header(file).tensors["x"])


def test_the_header_hash_follows_the_header_only(file: Path) -> None:
    save_file({"x": torch.zeros(2)}, file)
    zeros = read_header(file).sha256
    save_file({"x": torch.ones(2)}, file)
    assert read_header(file).sha256 == zeros
    save_file({"y": torch.ones(2)}, file)
    assert read_header(file).sha256 != zeros
