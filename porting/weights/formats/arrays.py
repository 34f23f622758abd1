"""Checkpoints in NumPy's files: ``.npz`` archives and single ``.npy`` arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from porting.errors import CheckpointError
from porting.tensorfiles import opened
from porting.text import show
from porting.weights.formats.entries import (
    WHOLE_FILE_BYTES,
    CheckpointTensor,
    Chunk,
    Notes,
    gathered,
    ranged,
    tensor_bytes,
    true_or_false,
)
from porting.weights.formats.npyheaders import MAX_HEADER_BYTES, NpyHeader, parse
from porting.weights.formats.zips import Record, check_crcs, first_bytes, list_records, unpacked

if TYPE_CHECKING:
    import torch

MOST_RATIO = 200
"""How much smaller than its content a large archive may be; trained weights hardly shrink."""
BOMB_BYTES = 64 << 20
"""Archives that unpack to no more than this may have any ratio: masks and zeros shrink much."""

_HEAD_BYTES = MAX_HEADER_BYTES + 12


class Place(NamedTuple):
    """Where an array is: its header, and its record in an archive."""

    array: NpyHeader
    record: Record | None


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """One ``.npz`` or ``.npy`` file.

    Attributes:
        path: where it is.
        notes: where to leave remarks.
    """

    path: Path
    notes: Notes = field(compare=False, repr=False)

    def read(self, name: str, header: Place) -> torch.Tensor:
        """Read one array as a tensor: in row order and in the machine's byte order.

        Raises:
            CheckpointError: the file is damaged, or changed since its header was read.
        """
        buffer = gathered(self._stored(name, header), header.array.length)
        return true_or_false(self.path, name, _tensor(buffer, header.array), self.notes)

    def chunks(self, name: str, header: Place) -> Iterator[Chunk]:
        """Read one array in pieces.

        Raises:
            CheckpointError: as for `read`.
        """
        array = header.array
        if array.dtype == "bool" or array.swapped or (array.fortran and len(array.shape) > 1):
            return tensor_bytes(self.read(name, header))
        return self._stored(name, header)

    def _stored(self, name: str, place: Place) -> Iterator[Chunk]:
        """The bytes of the elements as they are stored."""
        if place.record is None:
            yield from ranged(self.path, name, place.array.start, place.array.start + place.array.length)
            return
        skip = place.array.start
        with opened(self.path) as descriptor:
            try:
                for chunk in unpacked(descriptor, place.record):
                    yield chunk[skip:]
                    skip = max(0, skip - len(chunk))
            except ValueError as error:
                raise broken(self.path, f"its array {show(name)} is damaged: {show(error)}") from None


def read_npy(path: Path, notes: Notes) -> dict[str, CheckpointTensor]:
    """The one array of a ``.npy`` file, under the file's name.

    Raises:
        CheckpointError: it is missing, damaged, or no plain array.
    """
    with opened(path) as descriptor:
        head, size = os.pread(descriptor, _HEAD_BYTES, 0), os.fstat(descriptor).st_size
    try:
        array = _checked(head, size)
    except ValueError as error:
        raise broken(path, show(error)) from None
    found = _tensors(ArrayFile(path, notes), {path.stem: Place(array, None)}, notes)
    if not found:
        raise broken(path, "it holds text, not numbers")
    return found


def read_npz(path: Path, notes: Notes) -> dict[str, CheckpointTensor]:
    """The arrays of a ``.npz`` archive, from their headers.

    Raises:
        CheckpointError: it is missing, damaged, a zip bomb, or holds anything else than plain arrays.
    """
    with opened(path) as descriptor:
        try:
            records = list_records(descriptor)
            _check_bomb(records)
            places = {_name(record): _place(descriptor, record, records[record]) for record in records}
            if sum(record.size for record in records.values()) <= WHOLE_FILE_BYTES:
                check_crcs(descriptor, records)
        except ValueError as error:
            raise broken(path, show(error)) from None
    found = _tensors(ArrayFile(path, notes), places, notes)
    if not found:
        raise broken(path, "it holds no array of numbers")
    return found


def broken(path: Path, why: str) -> CheckpointError:
    """The error of a file that is not what its name says."""
    return CheckpointError(
        f"{show(path)} is not a valid NumPy file: {why}",
        hint="fetch or save it again, with plain arrays of numbers only (numpy.savez); nothing was read from it",
    )


def _tensors(file: ArrayFile, places: Mapping[str, Place], notes: Notes) -> dict[str, CheckpointTensor]:
    found = {}
    for name, place in places.items():
        if not place.array.dtype:
            notes.add("not-a-tensor", f"{show(file.path.name)}: {show(name)} is text and was left out")
            continue
        if place.array.dtype == "bfloat16":
            notes.add(
                "two-byte-elements",
                f"{show(file.path.name)} has elements of two bytes without a type, {show(name)} first: "
                "read as bfloat16, which NumPy saves so",
            )
        found[name] = CheckpointTensor(place.array.dtype, place.array.shape, file, place)
    return found


def _name(record: str) -> str:
    path = PurePosixPath(record)
    if not record.endswith(".npy") or path.is_absolute() or ".." in path.parts or "\\" in record or "\0" in record:
        raise ValueError(f"its member {record!r} is not a .npy array of a plain name")
    return record.removesuffix(".npy")


def _place(descriptor: int, name: str, record: Record) -> Place:
    try:
        return Place(_checked(first_bytes(descriptor, record, _HEAD_BYTES), record.size), record)
    except ValueError as error:
        raise ValueError(f"its member {name!r} is not a plain array: {error}") from None


def _checked(head: bytes, size: int) -> NpyHeader:
    array = parse(head)
    if array.start + array.length != size:
        raise ValueError(f"its header accounts for {array.start + array.length:,} bytes, and it has {size:,}")
    return array


def _check_bomb(records: Mapping[str, Record]) -> None:
    sizes = {f"its member {name!r}": (record.size, record.stored) for name, record in records.items()}
    whole = tuple(map(sum, zip(*sizes.values(), strict=True))) or (0, 0)
    for what, (size, stored) in (*sizes.items(), ("it", whole)):
        if size > max(BOMB_BYTES, MOST_RATIO * stored):
            raise ValueError(f"{what} would unpack to {size:,} bytes from {stored:,}: a zip bomb")


def _tensor(buffer: bytearray, array: NpyHeader) -> torch.Tensor:
    import torch

    dtype = getattr(torch, array.dtype)
    if not buffer:
        return torch.empty(array.shape, dtype=dtype, device="cpu")
    raw = torch.frombuffer(buffer, dtype=torch.uint8)
    if array.swapped:
        width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
        raw = raw.reshape(-1, width).flip(1).reshape(-1)
    flat = raw.view(dtype)
    if not array.fortran:
        return flat.reshape(array.shape)
    return flat.reshape(array.shape[::-1]).permute(tuple(reversed(range(len(array.shape))))).contiguous()
