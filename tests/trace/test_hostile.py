"""A trace that was made to harm its reader ends in an error, soon and in a few lines."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bounded import within
from tracing import Edit, edited, small

from porting.errors import TraceError
from porting.trace import open_trace, save_trace, validate_trace
from porting.trace.folders import MANIFEST
from porting.trace.manifest import MAX_MANIFEST_BYTES

NOTHING = {"structure": {"kind": "list", "class": "list", "keys": [], "items": []}, "leaves": []}
SECONDS = 30


def many_modules(document: dict[str, Any], prefix: str = "model.", length: int = 1500) -> None:
    """Calls with the wrong prefix, of which each could mean any of as many modules."""
    paths = [f"encoder.layer.{number}.attention.self" for number in range(length)]
    module = {**document["modules"][0], "parameters": []}
    document["modules"] = [{**module, "path": prefix + path} for path in paths]
    call = {"step": 0, "repeat": 0, "class": "X", "parent": None, "inputs": NOTHING, "outputs": NOTHING}
    document["calls"] = [{**call, "path": path} for path in paths]


def long_names(document: dict[str, Any]) -> None:
    document["modules"][1]["path"] = "".join(chr(0x4E00 + number * 7919 % 150) for number in range(250_000))
    document["calls"][1]["path"] = "".join(chr(0x4E00 + number * 104729 % 150) for number in range(250_000))


def odd_keys(document: dict[str, Any]) -> None:
    document.update({f"calsl{number}": number for number in range(50_000)})


def test_guesses_take_no_time_however_many_there_could_be(tmp_path: Path) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), many_modules)
    with within(SECONDS), pytest.raises(TraceError) as caught:
        validate_trace(folder)
    asked = [text for text in caught.value.problems if "did you mean" in text]
    assert "is no module; did you mean model.encoder.layer.0.attention.self?" in asked[0]
    assert 0 < len(asked) <= 5


@pytest.mark.parametrize("edit", [long_names, odd_keys])
def test_names_made_to_take_time_take_none(tmp_path: Path, edit: Edit) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), edit)
    for read in (open_trace, validate_trace):
        with within(SECONDS):
            outcome = message(read, folder)
        assert len(outcome) < 20_000


def message(read: Callable[[Path], object], folder: Path) -> str:
    """What the reader says against a trace; nothing if it reads it."""
    try:
        read(folder)
    except TraceError as error:
        return error.message
    return ""


def test_problems_are_collected_up_to_a_thousand(tmp_path: Path) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), lambda document: document.update(calls=[0] * 500_000))
    with within(SECONDS), pytest.raises(TraceError, match="it has at least 1,000 problems") as caught:
        validate_trace(folder)
    assert len(caught.value.problems) == 1000


@pytest.mark.parametrize("start", [b"\0", b"[", b"\xef\xbb\xbf{", b'{"a":\0'])
def test_a_manifest_that_is_no_text_of_an_object_is_not_parsed(tmp_path: Path, start: bytes) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    (folder / MANIFEST).write_bytes(start)
    os.truncate(folder / MANIFEST, MAX_MANIFEST_BYTES)
    with within(SECONDS), pytest.raises(TraceError, match="it is not the text of a JSON object"):
        open_trace(folder)


def test_a_manifest_above_the_limit_is_not_read(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    os.truncate(folder / MANIFEST, MAX_MANIFEST_BYTES + 1)
    with pytest.raises(TraceError, match="is larger than 128 MiB"):
        open_trace(folder)


def with_tensor(folder: Path, shape: list[int], data: bytes) -> Path:
    """Have the trace's output lie in a shard of its own, with this shape."""
    header = json.dumps({"t": {"dtype": "F32", "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    head = len(header).to_bytes(8, "little") + header
    (folder / "tensors-00002.safetensors").write_bytes(head + data)

    def edit(document: dict[str, Any]) -> None:
        shard = {"bytes": len(head) + len(data), "header_sha256": hashlib.sha256(head).hexdigest()}
        document["shards"]["tensors-00002.safetensors"] = shard
        place = {"shard": "tensors-00002.safetensors", "key": "t", "crc32": zlib.crc32(data), "shape": shape}
        document["outputs"]["leaves"][0].update(place)

    return edited(folder, edit)


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([9] * 1_000_000, bytes(4)),
        ([1] * 1_000_000, b""),
        ([0, 2**64], b""),
        ([0, 10**4000], b""),
        ([0, 2**62, 2**62], b""),
        ([1] * 65, bytes(4)),
    ],
    ids=["huge", "long", "length", "digits", "span", "dimensions"],
)
def test_a_shape_that_no_tensor_can_have_is_refused(tmp_path: Path, shape: list[int], data: bytes) -> None:
    folder = with_tensor(save_trace(small(), tmp_path / "trace"), shape, data)
    for read in (open_trace, validate_trace):
        with within(SECONDS):
            said = message(read, folder)
        assert "no tensor can have the shape" in said
        assert len(said) < 2000


@pytest.mark.parametrize(("shape", "data"), [([0, 2**40], b""), ([1] * 64, bytes(4))])
def test_odd_shapes_that_a_tensor_can_have_are_read(tmp_path: Path, shape: list[int], data: bytes) -> None:
    trace = validate_trace(with_tensor(save_trace(small(), tmp_path / "trace"), shape, data))
    assert list(trace.tensor(":run.outputs").shape) == shape


def test_what_was_left_out_is_printed_in_one_line_without_foreign_keys(tmp_path: Path) -> None:
    known = {"include": [], "exclude": ["*.dropout", "\x1b[31m"], "classes": [], "depth": None, "limit": 2000}
    left_out = {**known, "tensors": 57, "bytes": 6_140_000}
    foreign = {"\x1b[31mPWNED": 1, "n\nFORGED LINE": 1}
    folder = edited(
        save_trace(small(), tmp_path / "trace"), lambda document: document.update(left_out={**left_out, **foreign})
    )
    trace = open_trace(folder)
    assert trace.left_out == left_out
    (line,) = [line for line in str(trace.tree()).splitlines() if "left out" in line]
    assert line.strip() == r"left out on purpose: 57 tensors, 6.1 MB (exclude *.dropout \x1b[31m, limit 2.0 kB)"
