from __future__ import annotations

import os
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from porting.weights.formats.zips import Record, list_records, unpacked

if TYPE_CHECKING:
    from pathlib import Path

END = struct.Struct("<4s4H2LH")
ENTRY = 46


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("one", b"1" * 100)
        file.writestr("zwei/\xfc", b"2" * 1000, zipfile.ZIP_DEFLATED)
    return path


def listed(path: Path) -> dict[str, Record]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return list_records(descriptor)
    finally:
        os.close(descriptor)


def content(path: Path, record: Record) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return b"".join(unpacked(descriptor, record))
    finally:
        os.close(descriptor)


def patched(path: Path, at: int, replacement: bytes) -> Path:
    raw = path.read_bytes()
    at %= len(raw)
    path.write_bytes(raw[:at] + replacement + raw[at + len(replacement) :])
    return path


def directory(path: Path) -> int:
    return int(END.unpack(path.read_bytes()[-END.size :])[6])


def test_records_are_listed_as_zipfile_lists_them(path: Path) -> None:
    records = listed(path)
    with zipfile.ZipFile(path) as file:
        assert list(records) == file.namelist()
        for info in file.infolist():
            record = records[info.filename]
            assert (record.size, record.stored, record.crc) == (info.file_size, info.compress_size, info.CRC)
            assert content(path, record) == file.read(info)


def test_sizes_of_64_bits_are_understood(path: Path) -> None:
    """As an archive of more than 4 GiB has them."""
    raw = path.read_bytes()
    *_, length, start, _ = END.unpack(raw[-END.size :])
    old = raw[start : start + length]
    second = old.index(b"PK\1\2", 4)
    entry = bytearray(old[second:])
    size, at = struct.unpack_from("<L", entry, 24)[0], struct.unpack_from("<L", entry, 42)[0]
    extra = struct.pack("<2H2Q", 1, 16, size, at)
    struct.pack_into("<L", entry, 24, 0xFFFFFFFF)
    struct.pack_into("<L", entry, 42, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, len(extra))
    whole = old[:second] + bytes(entry) + extra
    end_64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, len(whole), start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(whole), 1)
    end = END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    expected = listed(path)
    path.write_bytes(raw[:start] + whole + end_64 + locator + end)
    assert listed(path) == expected


@pytest.mark.parametrize(
    ("at", "replacement"),
    [
        (0, b"PK\3\5"),
        (8, b"\x08"),
        (6, b"\x01"),
        (30, b"two"),
        (-4, b"\xff\xff\xff\x7f"),
        (-12, b"\x09"),
        (-10, b"\xff\xff\xff\x7f"),
    ],
)
def test_contradictions_are_refused(path: Path, at: int, replacement: bytes) -> None:
    with pytest.raises(ValueError, match=r"\bit"):
        listed(patched(path, at, replacement))


@pytest.mark.parametrize(
    ("offset", "replacement"),
    [(0, b"PK\1\3"), (8, b"\x01"), (10, b"\x0c"), (20, b"\x63"), (28, b"\xff\xff"), (42, b"\xff\xff\xff\x7f")],
)
def test_damaged_entries_are_refused(path: Path, offset: int, replacement: bytes) -> None:
    with pytest.raises(ValueError, match=r"\bit"):
        listed(patched(path, directory(path) + offset, replacement))


def test_records_that_overlap_are_refused(tmp_path: Path) -> None:
    """As in the bombs of one packed block that many entries share."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", b"1" * 10)
        file.writestr("a" * 31 + "b", b"")
    raw = path.read_bytes()
    second = raw.index(b"PK\3\4", 4)
    inner = raw[second : raw.index(b"PK\1\2")]
    start = 30 + 1
    body = raw[:start] + inner + raw[second:]
    body = body.replace(struct.pack("<2L", 10, 10), struct.pack("<2L", len(inner), len(inner)))
    shift = len(body) - len(raw)
    path.write_bytes(body)
    at = directory(path) + shift
    patched(path, -6, struct.pack("<L", at))
    entry = body.index(b"PK\1\2", at + 4)
    patched(path, entry + 42, struct.pack("<L", start))
    with pytest.raises(ValueError, match=r"overlap|not what|two sizes"):
        listed(path)


@pytest.mark.parametrize("change", [{"size": 999}, {"size": 1001}, {"crc": 1}])
def test_wrong_sizes_and_checksums_are_found_before_the_last_piece(path: Path, change: dict[str, int]) -> None:
    record = listed(path)["zwei/\xfc"]._replace(**change)
    with pytest.raises(ValueError, match="size or CRC"):
        content(path, record)
