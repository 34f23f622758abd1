"""Zip archives, listed strictly: what two readers could understand differently is refused.

An archive is read through ``os.pread`` alone. Its directory must lie at its end, every record once and apart from the
others, and the record's own header must say the same as the directory.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MAX_DIRECTORY_BYTES = 16 << 20
"""About 150,000 records with names as torch and NumPy give them."""
CHUNK_BYTES = 4 << 20
STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _UTF8 = 1, 1 << 11
_UNKNOWN_32 = 0xFFFFFFFF


class Record(NamedTuple):
    """One record: where its bytes lie in the archive and what they become.

    Attributes:
        start: of its bytes, after its header.
        stored: how many bytes it has in the archive.
        size: how many bytes it has when unpacked.
        method: `STORED` or `DEFLATED`.
        crc: CRC-32 of the unpacked bytes.
    """

    start: int
    stored: int
    size: int
    method: int
    crc: int


def list_records(descriptor: int) -> dict[str, Record]:
    """List the records of an open archive.

    Raises:
        ValueError: it is no zip archive, is damaged, or can be understood in two ways.
    """
    size = os.fstat(descriptor).st_size
    start, length, count = _directory(descriptor, size)
    raw = _read(descriptor, start, length)
    found: dict[str, Record] = {}
    spans = []
    at = 0
    for _ in range(count):
        name, flags, entry, header, at = _entry(raw, at)
        if name in found:
            raise ValueError(f"it holds the record {name!r} twice")
        found[name] = record = _located(descriptor, name, flags, entry, header, start)
        spans.append((header, record.start + record.stored))
    if at != length:
        raise ValueError("its directory does not hold as many records as it says")
    _check_apart(spans)
    return found


def unpacked(descriptor: int, record: Record) -> Iterator[bytes]:
    """The bytes of a record in chunks, unpacked; the last one is given only if the size and the CRC are right.

    Raises:
        ValueError: they are not, or the record cannot be unpacked.
    """
    crc, size, last = 0, 0, b""
    for chunk in _inflated(descriptor, record) if record.method == DEFLATED else _raw(descriptor, record):
        crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        if size > record.size:
            break
        if last:
            yield last
        last = chunk
    if (size, crc) != (record.size, record.crc):
        raise ValueError("a record's size or CRC is wrong")
    yield last


def first_bytes(descriptor: int, record: Record, limit: int) -> bytes:
    """Up to so many of a record's first bytes, unpacked; nothing is verified.

    Raises:
        ValueError: they cannot be unpacked.
    """
    raw = _read(descriptor, record.start, min(record.stored, 2 * limit))
    if record.method == STORED:
        return raw[:limit]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, limit)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None


def check_crcs(descriptor: int, records: Mapping[str, Record]) -> None:
    """Read all records and throw them away.

    Raises:
        ValueError: a record is damaged; it is named.
    """
    for name, record in records.items():
        try:
            for _ in unpacked(descriptor, record):
                pass
        except ValueError as error:
            raise ValueError(f"its record {name!r} is damaged: {error}") from None


def _directory(descriptor: int, size: int) -> tuple[int, int, int]:
    """Where the directory starts, its length and the number of its entries."""
    tail_at = max(0, size - _END.size - 0xFFFF)
    tail = _read(descriptor, tail_at, size - tail_at)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise ValueError("it has no directory at its end, as if it were cut off")
    _, disk, first, here, count, length, start, comment = _END.unpack_from(tail, at)
    end = tail_at + at
    if len(tail) - at != _END.size + comment:
        raise ValueError("there is something after its directory")
    if tail[at - _LOCATOR.size : at].startswith(b"PK\6\7") and at >= _LOCATOR.size:
        end, disk, first, here, count, length, start = _end_64(descriptor, tail, at, size)
    if disk or first or here != count or start + length != end:
        raise ValueError("its directory is not where its end says")
    if length > MAX_DIRECTORY_BYTES:
        raise ValueError(f"its directory has {length:,} bytes, more than {MAX_DIRECTORY_BYTES:,}")
    return start, length, count


def _end_64(descriptor: int, tail: bytes, at: int, size: int) -> tuple[int, ...]:
    _, _, end, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
    if end + _END_64.size > size:
        raise ValueError("its directory is not where its end says")
    magic, _, _, _, disk, first, here, count, length, start = _END_64.unpack(_read(descriptor, end, _END_64.size))
    if magic != b"PK\6\6":
        raise ValueError("its directory is not where its end says")
    return end, disk, first, here, count, length, start


def _entry(raw: bytes, at: int) -> tuple[str, int, Record, int, int]:
    """One entry of the directory: name, flags, record (not located), place of its header, where the next starts."""
    if len(raw) - at < _ENTRY.size or raw[at : at + 4] != b"PK\1\2":
        raise ValueError("its directory is damaged")
    values = _ENTRY.unpack_from(raw, at)
    flags, method, crc = values[3], values[4], values[7]
    lengths = values[10:13]
    texts = raw[at + _ENTRY.size : at + _ENTRY.size + sum(lengths)]
    if len(texts) != sum(lengths) or flags & _ENCRYPTED or method not in (STORED, DEFLATED):
        raise ValueError("its directory is damaged, or a record is encrypted or packed in an unusual way")
    name = texts[: lengths[0]].decode("utf-8" if flags & _UTF8 else "cp437")
    sizes = _sizes(texts[lengths[0] : lengths[0] + lengths[1]], [values[9], values[8], values[16]])
    return name, flags, Record(0, sizes[1], sizes[0], method, crc), sizes[2], at + _ENTRY.size + sum(lengths)


def _sizes(extra: bytes, sizes: list[int]) -> list[int]:
    """Size, stored size and place, from the 64-bit field where the 32-bit ones are full."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if at + 4 + length > len(extra):
            raise ValueError("its directory is damaged")
        if kind == 1:
            wide = [number for (number,) in struct.iter_unpack("<Q", extra[at + 4 : at + 4 + (length & ~7)])]
            if len(wide) < sizes.count(_UNKNOWN_32):
                raise ValueError("its directory is damaged")
            numbers = iter(wide)
            return [next(numbers) if size == _UNKNOWN_32 else size for size in sizes]
        at += 4 + length
    return sizes


def _located(descriptor: int, name: str, flags: int, entry: Record, header: int, end: int) -> Record:
    if header + _LOCAL.size > end:
        raise ValueError(f"its record {name!r} lies outside it")
    magic, _, own_flags, method, *_, length, extra = _LOCAL.unpack(_read(descriptor, header, _LOCAL.size))
    start = header + _LOCAL.size + length + extra
    if magic != b"PK\3\4" or start + entry.stored > end or method != entry.method or own_flags & _ENCRYPTED:
        raise ValueError(f"its record {name!r} is not what its directory says")
    own_name = _read(descriptor, header + _LOCAL.size, length)
    if own_name.decode("utf-8" if flags & _UTF8 else "cp437") != name:
        raise ValueError(f"its record {name!r} has another name in its own header")
    if entry.method == STORED and entry.stored != entry.size:
        raise ValueError(f"its record {name!r} has two sizes")
    return entry._replace(start=start)


def _check_apart(spans: list[tuple[int, int]]) -> None:
    end = 0
    for start, stop in sorted(spans):
        if start < end:
            raise ValueError("its records overlap")
        end = stop


def _raw(descriptor: int, record: Record) -> Iterator[bytes]:
    for at in range(0, record.stored, CHUNK_BYTES):
        yield _read(descriptor, record.start + at, min(CHUNK_BYTES, record.stored - at))


def _inflated(descriptor: int, record: Record) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in _raw(descriptor, record):
            pending = chunk
            while pending:
                yield unpacker.decompress(pending, CHUNK_BYTES)
                pending = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None


def _read(descriptor: int, start: int, length: int) -> bytes:
    read = os.pread(descriptor, length, start)
    if len(read) != length:
        raise ValueError("it ends early")
    return read
