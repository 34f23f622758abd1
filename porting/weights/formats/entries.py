"""What every format of a checkpoint gives: its tensors' names, shapes and dtypes, and a way to read one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from porting.errors import CheckpointError
from porting.tensorfiles import CHUNK_BYTES, opened
from porting.text import show
from porting.weights.report import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

MOST_ALIKE = 20
"""How many remarks of one code are kept."""

Chunk = bytes | memoryview
WHOLE_FILE_BYTES = 256 << 20
"""Files up to this size have their checksums verified in whole before anything of them is believed."""


class Notes(list[Remark]):
    """The remarks on a checkpoint; they grow when its data is read."""

    def add(self, code: str, message: str) -> None:
        """Keep a remark, unless it is known or there are many of its code."""
        remark = Remark(code, message)
        if remark not in self and sum(other.code == code for other in self) < MOST_ALIKE:
            self.append(remark)


class CheckpointFile(Protocol):
    """One file of a checkpoint, which knows how its format keeps tensors."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    def read(self, name: str, header: Any) -> torch.Tensor:
        """Read the tensor of this header.

        Raises:
            CheckpointError: the file is not what it was, or torch has no such dtype.
        """
        ...

    def chunks(self, name: str, header: Any) -> Iterator[Chunk]:
        """Read it in pieces: the bytes of its elements, little-endian, row by row.

        Raises:
            CheckpointError: as for `read`; where the format has a checksum, it is raised before the last piece.
        """
        ...


@dataclass(frozen=True, slots=True)
class CheckpointTensor:
    """One tensor of a checkpoint.

    Attributes:
        dtype: in torch's words (``"float32"``); in the file's own where torch has no such dtype.
        shape: its dimensions.
        source: the file that holds it.
        header: its entry there, in the words of the format.
    """

    dtype: str
    shape: tuple[int, ...]
    source: CheckpointFile
    header: Any

    @property
    def file(self) -> Path:
        """The path of the file that holds it."""
        return self.source.path


def ranged(path: Path, name: str, start: int, stop: int) -> Iterator[bytes]:
    """A byte range of a file in pieces.

    Raises:
        CheckpointError: the file cannot be read, or ends before it.
    """
    with opened(path) as descriptor:
        while start < stop:
            chunk = os.pread(descriptor, min(CHUNK_BYTES, stop - start), start)
            if not chunk:
                raise CheckpointError(
                    f"{show(path)} ends within tensor {show(name)}; it changed since its header was read",
                    hint="let nothing write to a checkpoint that is read",
                )
            yield chunk
            start += len(chunk)


def gathered(chunks: Iterator[Chunk], size: int) -> bytearray:
    """Pieces one after the other, which are so many bytes together."""
    buffer, at = bytearray(size), 0
    for chunk in chunks:
        buffer[at : at + len(chunk)] = chunk
        at += len(chunk)
    return buffer


def tensor_bytes(tensor: torch.Tensor) -> Iterator[Chunk]:
    """The bytes of a tensor in memory, in pieces, little-endian as the machine is, row by row."""
    import torch

    flat = tensor.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
    for at in range(0, flat.numel(), CHUNK_BYTES):
        yield flat[at : at + CHUNK_BYTES].numpy().data


def true_or_false(path: Path, name: str, tensor: torch.Tensor, notes: Notes) -> torch.Tensor:
    """A tensor as it is, but for booleans stored as other bytes than 0 and 1: those are made True, with a remark."""
    import torch

    if tensor.dtype is not torch.bool or not tensor.numel():
        return tensor
    raw = tensor.view(torch.uint8)
    if raw.max() <= 1:
        return tensor
    notes.add("bool-bytes", f"{show(path.name)}: {show(name)} holds bytes other than 0 and 1; they were read as True")
    return raw != 0
