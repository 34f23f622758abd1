"""Write tensors to shards as they come: safetensors files whose header is filled in when they are closed.

Nothing of torch: contents come as pieces of bytes, so that a tensor of any size passes through little memory. A
shard begins with room for its header; the file is complete when its header is, and is synchronised then.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from porting.folders import write_at
from porting.tensorfiles import DTYPE_BITS, Header, TensorHeader

SHARD_BYTES = 1 << 30
"""A shard that has grown to this size is closed."""
HEADER_BYTES = (1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20)
"""Room for the header in the first shards, and in every one after them: small traces stay small."""

Pieces = Callable[[], Iterable[memoryview]]
"""The bytes of one tensor, row-major; may be asked for several times."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor lies: the shard's file name, its key there, and the crc32 of its bytes."""

    shard: str
    key: str
    crc32: int

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return {"shard": self.shard, "key": self.key, "crc32": self.crc32}


class ShardWriter:
    """Appends tensors to shards in a folder; identical content is stored once.

    Their names in a shard are numbers: the names of a model's tensors may hold anything and stay in the manifest.
    """

    def __init__(self, folder: Path, progress: Callable[[str], None] | None = None) -> None:
        """Write to ``folder``; ``progress`` is called with a short text for each shard that is closed."""
        self.folder = folder
        self.bytes = 0
        self.places: dict[str, Place] = {}
        self.headers: dict[str, TensorHeader] = {}
        self._progress = progress
        self._known: dict[tuple[str, tuple[int, ...]], dict[int, list[str]]] = {}
        self._closed: dict[str, Header] = {}
        self._open: _OpenShard | None = None

    def __enter__(self) -> ShardWriter:
        """Nothing is opened before the first tensor comes."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file that is open; without `close` it is not a shard."""
        if self._open is not None:
            os.close(self._open.descriptor)
            self._open = None

    def add(self, dtype: str, shape: Sequence[int], pieces: Pieces, room: int | None = None) -> str | None:
        """Store a tensor, if its content is not there yet.

        Args:
            dtype: in the words of safetensors.
            shape: its lengths.
            pieces: its bytes.
            room: most bytes that it may take, if it is new.

        Returns:
            Its key; None if it is new and there is no room.

        Raises:
            OSError: the disk refuses.
        """
        known = self._known.setdefault((dtype, tuple(shape)), {})
        size = math.prod(shape) * DTYPE_BITS[dtype] // 8
        too_large = room is not None and size > room
        if too_large and not known:
            return None
        crc32 = 0
        for piece in pieces():
            crc32 = zlib.crc32(piece, crc32)
        alike = known.setdefault(crc32, [])
        for key in alike:
            if self._holds(key, pieces()):
                return key
        if too_large:
            return None
        key = f"t{len(self.places)}"
        header = TensorHeader(dtype, tuple(shape), 0, size)
        shard = self._shard_for(key, header)
        self.headers[key] = shard.append(key, header, pieces())
        self.places[key] = Place(shard.name, key, crc32)
        self.bytes += size
        alike.append(key)
        return key

    def close(self) -> dict[str, Header]:
        """Complete the last shard; returns the headers of all, by file name."""
        if self._open is not None:
            self._finish(self._open)
        return dict(self._closed)

    def _shard_for(self, key: str, header: TensorHeader) -> _OpenShard:
        size = header.stop - header.start
        if self._open is not None and not self._open.has_room(key, header, size):
            self._finish(self._open)
        if self._open is None:
            number = len(self._closed)
            name = f"tensors-{number + 1:05d}.safetensors"
            room = HEADER_BYTES[min(number, len(HEADER_BYTES) - 1)]
            self._open = _OpenShard(self.folder / name, max(room, _least_room(key, header)))
        return self._open

    def _finish(self, shard: _OpenShard) -> None:
        if self._progress:
            self._progress(f"writing {shard.name}, {shard.end / 2**20:,.0f} MiB")
        self._closed[shard.name] = shard.complete()
        os.close(shard.descriptor)
        self._open = None

    def _holds(self, key: str, pieces: Iterable[memoryview]) -> bool:
        """Whether the stored content is the same, byte for byte."""
        shard, header = self.places[key].shard, self.headers[key]
        current = self._open is not None and self._open.name == shard
        descriptor = self._open.descriptor if self._open and current else os.open(self.folder / shard, os.O_RDONLY)
        try:
            return _same(descriptor, header.start, pieces)
        finally:
            if not current:
                os.close(descriptor)


class _OpenShard:
    """The shard that is being written."""

    def __init__(self, path: Path, room: int) -> None:
        self.path = path
        self.name = path.name
        self.room = room
        self.end = room
        self.entries: dict[str, TensorHeader] = {}
        self.length = len("{}")
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def has_room(self, key: str, header: TensorHeader, size: int) -> bool:
        placed = TensorHeader(header.dtype, header.shape, self.end, self.end + size)
        fits = self.length + _length(key, placed, self.room) <= self.room - 8
        return fits and (self.end + size <= SHARD_BYTES or not self.entries)

    def append(self, key: str, header: TensorHeader, pieces: Iterable[memoryview]) -> TensorHeader:
        start = self.end
        for piece in pieces:
            write_at(self.descriptor, piece, self.end)
            self.end += piece.nbytes
        placed = TensorHeader(header.dtype, header.shape, start, self.end)
        self.entries[key] = placed
        self.length += _length(key, placed, self.room)
        return placed

    def complete(self) -> Header:
        """Fill the header in, padded with spaces as the format allows, and wait for the disk."""
        entries = {key: _entry(header, self.room) for key, header in self.entries.items()}
        text = json.dumps(entries, separators=(",", ":")).encode("ascii")
        assert len(text) <= self.room - 8, "the header would overwrite the tensors"
        head = (self.room - 8).to_bytes(8, "little") + text.ljust(self.room - 8)
        write_at(self.descriptor, memoryview(head), 0)
        os.fsync(self.descriptor)
        return Header(self.entries, {}, self.end, hashlib.sha256(head).hexdigest())


def _entry(header: TensorHeader, room: int) -> dict[str, Any]:
    offsets = [header.start - room, header.stop - room]
    return {"dtype": header.dtype, "shape": list(header.shape), "data_offsets": offsets}


def _least_room(key: str, header: TensorHeader) -> int:
    """Room for a shard's header with this entry alone: the length field and the braces beside it."""
    return 8 + len("{}") + _length(key, header, 0)


def _length(key: str, header: TensorHeader, room: int) -> int:
    """Characters that an entry takes in the header, its comma included."""
    return len(json.dumps({key: _entry(header, room)}, separators=(",", ":"))) - 1


def _same(descriptor: int, offset: int, pieces: Iterable[memoryview]) -> bool:
    for piece in pieces:
        stored = os.pread(descriptor, piece.nbytes, offset)
        if not np.array_equal(np.frombuffer(stored, np.uint8), np.frombuffer(piece, np.uint8)):
            return False
        offset += piece.nbytes
    return True
