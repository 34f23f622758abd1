"""Checkpoints that ``torch.save`` wrote, in its zip format and in the older one; torch loads neither."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from porting.tensorfiles import opened
from porting.text import show
from porting.weights.formats.catalogues import Catalogue, Listed, NeedsCodeError, broken
from porting.weights.formats.entries import (
    CheckpointTensor,
    Chunk,
    Notes,
    gathered,
    ranged,
    tensor_bytes,
    true_or_false,
)
from porting.weights.formats.picklecode import loaded_by_code
from porting.weights.formats.safetensors import read_safetensors
from porting.weights.formats.torchstorages import in_archive, in_legacy, is_contiguous, span
from porting.weights.formats.zips import Record, unpacked

RAW = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.complex128}
"""A dtype for each size of elements, by which any elements can be copied as they are."""


class Place(NamedTuple):
    """Where a tensor is: what the pickle says of it, and where its storage lies in the file.

    The storage is a record of the archive, or in the older format a range without a checksum.
    """

    listed: Listed
    storage: Record


@dataclass(frozen=True, slots=True)
class TorchFile:
    """One file of ``torch.save``.

    Attributes:
        path: where it is.
        notes: where to leave remarks.
        has_checksums: whether each storage has a CRC: in the zip format.
        verified: the places of the storages whose CRC was found right.
    """

    path: Path
    notes: Notes = field(compare=False, repr=False)
    has_checksums: bool
    verified: set[int] = field(default_factory=set, compare=False, repr=False)

    def read(self, name: str, header: Place) -> torch.Tensor:
        """Read one tensor, contiguous; the CRC of its storage is verified when it is first read.

        Raises:
            CheckpointError: the file is damaged, or changed since its header was read.
        """
        listed = header.listed
        dtype: torch.dtype = getattr(torch, listed.dtype)
        if 0 in listed.shape:
            return torch.empty(listed.shape, dtype=dtype, device="cpu")
        start, stop = (end * dtype.itemsize for end in span(listed))
        buffer = gathered(self._stored(name, header.storage, start, stop), stop - start)
        flat = torch.frombuffer(buffer, dtype=RAW[dtype.itemsize])
        tensor = flat.as_strided(listed.shape, listed.stride).contiguous().view(dtype)
        tensor = tensor.conj().resolve_conj() if listed.conj else tensor
        return true_or_false(self.path, name, -tensor if listed.neg else tensor, self.notes)

    def chunks(self, name: str, header: Place) -> Iterator[Chunk]:
        """Read one tensor in pieces.

        Raises:
            CheckpointError: as for `read`.
        """
        listed = header.listed
        if listed.conj or listed.neg or listed.dtype == "bool" or not is_contiguous(listed):
            return tensor_bytes(self.read(name, header))
        width = getattr(torch, listed.dtype).itemsize
        start = listed.offset * width
        return self._stored(name, header.storage, start, start + math.prod(listed.shape) * width)

    def _stored(self, name: str, storage: Record, start: int, stop: int) -> Iterator[Chunk]:
        """A range of a storage; its CRC is verified on the way if it is all of it, else before."""
        known = not self.has_checksums or storage.start in self.verified
        if not known and (start, stop) == (0, storage.size):
            yield from self._verified(name, storage)
            return
        if not known:
            for _ in self._verified(name, storage):
                pass
        yield from ranged(self.path, name, storage.start + start, storage.start + stop)

    def _verified(self, name: str, storage: Record) -> Iterator[bytes]:
        with opened(self.path) as descriptor:
            try:
                yield from unpacked(descriptor, storage)
            except ValueError:
                raise broken(self.path, f"the data of {show(name)} is damaged: its CRC is wrong") from None
        self.verified.add(storage.start)


def read_torch(path: Path, notes: Notes, allow_pickle_code: str | None = None) -> dict[str, CheckpointTensor]:
    """The tensors of a file of ``torch.save``, without loading it.

    Args:
        path: where it is.
        notes: where to leave remarks.
        allow_pickle_code: the sha256 of a file that may run code when it is loaded.

    Raises:
        CheckpointError: it is missing, damaged or no state dict, or needs code to be run that is not allowed.
    """
    with opened(path) as descriptor:
        zipped = os.pread(descriptor, 2, 0) == b"PK"
        try:
            found = in_archive(path, descriptor) if zipped else in_legacy(path, descriptor)
        except NeedsCodeError:
            if allow_pickle_code is None:
                raise
            return read_safetensors(loaded_by_code(path, descriptor, allow_pickle_code, notes), notes)
    file = TorchFile(path, notes, zipped, set(found.verified))
    _remark(path, found.catalogue, notes)
    return {
        listed.name: CheckpointTensor(listed.dtype, listed.shape, file, Place(listed, found.storages[listed.storage]))
        for listed in found.catalogue.tensors
    }


def _remark(path: Path, catalogue: Catalogue, notes: Notes) -> None:
    if catalogue.path:
        beside = f"; passed by: {_listing(catalogue.beside)}" if catalogue.beside else ""
        notes.add("nested", f"{show(path.name)}: the state dict was taken from {_listing(catalogue.path)}{beside}")
    if catalogue.left_out:
        notes.add("not-a-tensor", f"{show(path.name)}: left out, no tensors: {_listing(catalogue.left_out)}")


def _listing(keys: tuple[str, ...]) -> str:
    return ", ".join(repr(show(key, 60)) for key in keys)
