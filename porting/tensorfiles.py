"""Safetensors files, read strictly: the header by ``pread``, a tensor by its offsets, nothing trusted.

The safetensors library accepts a few headers that two readers can understand differently (a name given twice, say)
and maps the whole file; both traces and checkpoints are read here instead.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any

from porting import strictjson
from porting.errors import CheckpointError
from porting.text import show

if TYPE_CHECKING:
    import torch

MAX_HEADER_BYTES = 25_000_000
"""As huggingface_hub; the format itself allows 100 MB."""
MAX_HEADER_VALUES = 2_500_000
"""About 250,000 tensors."""

CHUNK_BYTES = 1 << 18
"""Read at a time: small enough to stay in a processor's cache until it is written or hashed."""

MAX_DIMENSIONS = 64
"""As NumPy has them."""
MAX_TENSOR_BITS = 8 * (2**63 - 1)
"""What torch and NumPy can address; they count a length of 0 as 1 there."""

DTYPE_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    "F4": 4,
}
"""Bits an element takes, for every dtype of the format."""


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """One tensor of a file: its dtype in the format's words, its shape and its byte range in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one safetensors file.

    Attributes:
        tensors: by name, in the order of the header.
        metadata: the free text that the file carries.
        size: of the whole file, in bytes.
        sha256: of the header's bytes, its length field included.
    """

    tensors: Mapping[str, TensorHeader]
    metadata: Mapping[str, str]
    size: int
    sha256: str


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a regular file for ``os.pread``; yields the descriptor.

    Raises:
        CheckpointError: it is missing, not a regular file (a pipe would block for ever), or cannot be read, now or
            within the context.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        hint = "check its permissions" if isinstance(error, PermissionError) else "check the path"
        raise CheckpointError(f"cannot read {show(path)}: {error.strerror}", hint=hint) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CheckpointError(f"{show(path)} is not a regular file", hint="name a file on a disk")
        yield descriptor
    except OSError as error:
        raise CheckpointError(
            f"cannot read {show(path)}: {show(error.strerror or error)}", hint="check the disk"
        ) from None
    finally:
        os.close(descriptor)


def sha256_of(descriptor: int, stop: int) -> str:
    """The sha256 of the first bytes of an open file, in hexadecimal digits.

    Args:
        descriptor: the file.
        stop: how many bytes; all, if it has fewer.
    """
    digest, at = hashlib.sha256(), 0
    while at < stop and (chunk := os.pread(descriptor, min(CHUNK_BYTES, stop - at), at)):
        digest.update(chunk)
        at += len(chunk)
    return digest.hexdigest()


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file and nothing else.

    Raises:
        CheckpointError: the file is missing, or its header breaks the format anywhere: length, JSON, names given
            twice, dtypes, shapes, byte ranges that overlap, leave holes or end before or after the file.
    """
    with opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        length = int.from_bytes(os.pread(descriptor, 8, 0), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            raise _broken(path, f"its header claims {length:,} bytes, in a file of {size:,}")
        raw = os.pread(descriptor, length, 8)
    try:
        document = strictjson.loads(raw, most=MAX_HEADER_VALUES)
    except ValueError as error:
        raise _broken(path, f"its header is not JSON: {show(error)}") from None
    if not raw.startswith(b"{") or not isinstance(document, dict):
        raise _broken(path, "its header is not a JSON object")
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _broken(path, "its metadata is not text")
    if broken := next((each for each in (*document, *metadata, *metadata.values()) if _is_broken(each)), None):
        raise _broken(path, f"{show(broken)} has half of a character")
    tensors = {name: _entry(path, name, entry, 8 + length) for name, entry in document.items()}
    _check_ranges(path, tensors, 8 + length, size)
    digest = hashlib.sha256(length.to_bytes(8, "little") + raw).hexdigest()
    return Header(tensors, metadata, size, digest)


def read_tensor(path: Path, name: str, entry: TensorHeader) -> torch.Tensor:
    """Read one tensor's bytes.

    Raises:
        CheckpointError: the file ends early, or torch has no such dtype.
    """
    import torch

    dtype = torch_dtypes().get(entry.dtype)
    if dtype is None:
        raise CheckpointError(f"{show(path)}: tensor {show(name)} has dtype {entry.dtype}, which torch cannot hold")
    length = entry.stop - entry.start
    buffer = bytearray(length)
    with opened(path) as descriptor:
        view, done = memoryview(buffer), 0
        while done < length:
            read = os.preadv(descriptor, [view[done:]], entry.start + done)
            if read == 0:
                raise _broken(path, f"it ends within tensor {show(name)}")
            done += read
    if length == 0:
        return torch.empty(entry.shape, dtype=dtype, device="cpu")
    return torch.frombuffer(buffer, dtype=torch.uint8).view(dtype).reshape(entry.shape)


def torch_dtypes() -> dict[str, torch.dtype]:
    """The torch dtype of each of the format's dtype names that this torch has."""
    import torch

    names = {
        "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32",
        "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32",
        "F64": "float64", "C64": "complex64", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn",
        "F8_E8M0": "float8_e8m0fnu", "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    }  # fmt: skip
    return {key: getattr(torch, name) for key, name in names.items() if hasattr(torch, name)}


def _entry(path: Path, name: str, entry: Any, data_start: int) -> TensorHeader:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _broken(path, f"the entry of tensor {show(name)} is not dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise _broken(path, f"tensor {show(name)} has the unknown dtype {show(dtype)}")
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        raise _broken(path, f"tensor {show(name)} has shape {show(shape)} and offsets {show(offsets)}")
    if not can_be_held(shape, DTYPE_BITS[dtype]):
        raise _broken(path, f"tensor {show(name)}: no tensor can have the shape {show(shape)}")
    if (offsets[1] - offsets[0]) * 8 != math.prod(shape) * DTYPE_BITS[dtype]:
        raise _broken(path, f"tensor {show(name)}: shape {show(shape)} of {dtype} is not the size of its byte range")
    return TensorHeader(intern(dtype), _shared(tuple(shape)), data_start + offsets[0], data_start + offsets[1])


@lru_cache(maxsize=1024)
def _shared(shape: tuple[int, ...]) -> tuple[int, ...]:
    """One object for equal shapes: a large checkpoint has few of them."""
    return shape


def _check_ranges(path: Path, tensors: Mapping[str, TensorHeader], data_start: int, size: int) -> None:
    end = data_start
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != end:
            raise _broken(path, f"the bytes of tensor {show(name)} overlap others or leave a hole")
        end = entry.stop
    if end != size:
        raise _broken(path, f"it has {size:,} bytes where its header accounts for {show(f'{end:,}')}")


def _is_broken(text: str) -> bool:
    """Whether JSON's escapes made a text that has no UTF-8, which the safetensors library refuses."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def can_be_held(shape: Sequence[int], bits: int) -> bool:
    """Whether torch and NumPy can hold a tensor of this shape, whose elements take so many bits."""
    if len(shape) > MAX_DIMENSIONS:
        return False
    for length in shape:
        bits *= max(length, 1)
        if bits > MAX_TENSOR_BITS:
            return False
    return True


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _broken(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{show(path)} is not a valid safetensors file: {why}",
        hint="fetch or save the file again; nothing was read from it",
    )
