"""The storages of a ``torch.save`` file: where each lies, and whether the tensors stay within them."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch

from porting.errors import CheckpointError
from porting.tensorfiles import can_be_held
from porting.text import show
from porting.weights.formats.catalogues import Catalogue, Listed, broken, read_catalogue
from porting.weights.formats.entries import WHOLE_FILE_BYTES
from porting.weights.formats.zips import STORED, Record, check_crcs, list_records

MAX_REPEATED_BYTES = 256 << 20
"""How large a tensor may be that is larger than its file, because it repeats elements (strides of 0)."""


class Found(NamedTuple):
    """What a file holds: the list of its tensors, and each storage's place by its key.

    ``verified`` are the starts of the storages whose CRC was found right.
    """

    catalogue: Catalogue
    storages: Mapping[str, Record]
    verified: Collection[int]


def in_archive(path: Path, descriptor: int) -> Found:
    """Find the tensors and storages of an open file in torch's zip format.

    Raises:
        CheckpointError: it is damaged, packed, TorchScript or no state dict, or needs code to be run.
    """
    try:
        records = list_records(descriptor)
        folder = _folder(records)
    except ValueError as error:
        raise broken(path, show(error)) from None
    if (order := _content(descriptor, records.get(f"{folder}byteorder"))) not in (b"", b"little"):
        raise broken(path, f"its numbers are {'big-endian' if order == b'big' else 'in an unknown order of bytes'}")
    pickle = records[f"{folder}data.pkl"]
    verified: list[int] = []
    if os.fstat(descriptor).st_size <= WHOLE_FILE_BYTES:
        verified = _verified(path, descriptor, records)
    catalogue = read_catalogue(path, descriptor, "record", pickle.start, pickle.size)
    storages: dict[str, Record] = {}
    for key, dtype, numel in catalogue.storages:
        record = records.get(f"{folder}data/{key}")
        if record is None or record.size != numel * _width(dtype):
            holds = "lacks it" if record is None else f"holds {record.size:,} bytes of it"
            raise broken(
                path, f"its storage {show(key, 60)!r} has {numel:,} elements of {dtype}, and the file {holds}"
            )
        storages[key] = record
    _check_tensors(path, descriptor, catalogue)
    return Found(catalogue, storages, verified)


def in_legacy(path: Path, descriptor: int) -> Found:
    """Find the tensors and storages of an open file in torch's older format, or of anything that is a pickle.

    Raises:
        CheckpointError: it is damaged, of another format or no state dict, or needs code to be run.
    """
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 512, 0)
    if head[257:262] == b"ustar":
        raise broken(path, "it is a tar archive, which torch wrote before 2017")
    if not head or head[:1] not in b"\x80(c]}" or head.startswith(b"\x89HDF"):
        raise broken(path, "it is neither of torch's formats: no zip archive and no pickle")
    catalogue = read_catalogue(path, descriptor, "legacy", 0, size)
    sizes = {key: (dtype, numel) for key, dtype, numel in catalogue.storages}
    if len(sizes) != len(catalogue.storages) or set(catalogue.order) != set(sizes):
        raise broken(path, "its list of storages is not that of its tensors")
    storages: dict[str, Record] = {}
    at = catalogue.end
    for key in catalogue.order:
        dtype, numel = sizes[key]
        if int.from_bytes(os.pread(descriptor, 8, at), "little") != numel or key in storages:
            raise broken(
                path, f"its storage {show(key, 60)!r} has not the size that its tensors say, or it is cut off"
            )
        length = numel * _width(dtype)
        storages[key] = Record(at + 8, length, length, STORED, 0)
        at += 8 + length
        if at > size:
            break
    if at != size:
        raise broken(path, f"it has {size:,} bytes, and its storages end at {at:,}")
    _check_tensors(path, descriptor, catalogue)
    return Found(catalogue, storages, ())


def span(listed: Listed) -> tuple[int, int]:
    """The elements of its storage within which a tensor that is not empty lies."""
    reach = sum((length - 1) * stride for length, stride in zip(listed.shape, listed.stride, strict=True))
    return listed.offset, listed.offset + reach + 1


def is_contiguous(listed: Listed) -> bool:
    """Whether its elements lie row by row without gaps."""
    expected = 1
    for length, stride in zip(reversed(listed.shape), reversed(listed.stride), strict=True):
        if length != 1 and stride != expected:
            return False
        expected *= length
    return True


def _folder(records: Mapping[str, Record]) -> str:
    """The one folder in which all records lie, with its slash.

    Raises:
        ValueError: there is no such folder, or a record that torch does not write or does not read.
    """
    folders = {name.partition("/")[0] for name in records}
    folder = f"{next(iter(folders), '')}/"
    if len(folders) != 1 or f"{folder}data.pkl" not in records:
        raise ValueError("it is a zip archive, but not one of torch: it has no data.pkl")
    if any(name.startswith((f"{folder}code/", f"{folder}constants.pkl")) for name in records):
        raise ValueError("it is a TorchScript program; save the state_dict() of the module that torch.jit.load gives")
    for name, record in records.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or str(path) != name:
            raise ValueError(f"its record {name!r} has the name of a path outside it")
        if record.method != STORED:
            raise ValueError(f"its record {name!r} is packed, which torch never does")
    return folder


def _content(descriptor: int, record: Record | None) -> bytes:
    return os.pread(descriptor, min(record.size, 16), record.start) if record else b""


def _verified(path: Path, descriptor: int, records: Mapping[str, Record]) -> list[int]:
    try:
        check_crcs(descriptor, records)
    except ValueError as error:
        raise broken(path, show(error)) from None
    return [record.start for record in records.values()]


def _check_tensors(path: Path, descriptor: int, catalogue: Catalogue) -> None:
    numels = {key: numel * _width(dtype) for key, dtype, numel in catalogue.storages}
    most = max(os.fstat(descriptor).st_size, MAX_REPEATED_BYTES)
    for listed in catalogue.tensors:
        width = _width(listed.dtype)
        if len(listed.shape) != len(listed.stride) or not can_be_held(listed.shape, 8 * width):
            raise broken(path, f"no tensor can have the shape and strides of {show(listed.name)}")
        empty = 0 in listed.shape
        if not empty and span(listed)[1] * width > numels[listed.storage]:
            raise broken(path, f"{show(listed.name)} reaches beyond its storage")
        if not empty and math.prod(listed.shape) * width > most:
            raise broken(path, f"{show(listed.name)} repeats a few elements into {show(listed.shape)}")


def _width(dtype: str) -> int:
    """Bytes of an element."""
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype):
        raise CheckpointError(f"this torch has no {dtype}", hint="install a newer torch to read the checkpoint")
    return found.itemsize
