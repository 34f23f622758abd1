from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from porting.errors import CheckpointError, PortingError
from porting.tensorfiles import read_header
from porting.weights.conversion.layout import SINGLE, lay_out
from porting.weights.conversion.writing import WeightsWriter
from porting.weights.report import Spec

LAYOUT = lay_out({name: Spec("uint8", (100,)) for name in "abc"}, 1000)
CONTENT = {name: bytes([ord(name)]) * 100 for name in "abc"}


def cut(content: bytes, size: int) -> Iterator[memoryview]:
    for at in range(0, len(content), size):
        yield memoryview(content)[at : at + size]


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
@pytest.mark.parametrize("size", [7, 100])
def test_tensors_come_in_any_order_and_the_hash_is_that_of_the_file(order: str, size: int, tmp_path: Path) -> None:
    with WeightsWriter(tmp_path, LAYOUT) as writer:
        for name in order:
            writer.write(name, cut(CONTENT[name], size))
        hashes = writer.finish()
    raw = (tmp_path / SINGLE).read_bytes()
    assert hashes == {SINGLE: hashlib.sha256(raw).hexdigest()}
    assert raw == LAYOUT.files[0].head + b"".join(CONTENT.values())


def test_a_file_that_is_not_complete_cannot_be_read(tmp_path: Path) -> None:
    with WeightsWriter(tmp_path, LAYOUT) as writer:
        writer.write("c", cut(CONTENT["c"], 100))
    assert (tmp_path / SINGLE).stat().st_size == LAYOUT.size
    with pytest.raises(CheckpointError):
        read_header(tmp_path / SINGLE)


@pytest.mark.parametrize("size", [0, 99, 101])
def test_other_data_than_there_is_room_for_is_refused(size: int, tmp_path: Path) -> None:
    with WeightsWriter(tmp_path, LAYOUT) as writer, pytest.raises(PortingError, match="the data of b is not the 100"):
        writer.write("b", cut(bytes(size), 50))


def test_what_fails_in_a_thread_fails_the_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with WeightsWriter(tmp_path, LAYOUT) as writer:
        for name in "abc":
            writer.write(name, cut(CONTENT[name], 100))
        with pytest.raises(OSError, match="Input/output error"):
            writer.finish()


def test_no_descriptor_and_no_thread_is_left(tmp_path: Path) -> None:
    def interrupted() -> None:
        with WeightsWriter(tmp_path, LAYOUT) as writer:
            writer.write("a", cut(CONTENT["a"], 100))
            raise KeyboardInterrupt

    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) == before
