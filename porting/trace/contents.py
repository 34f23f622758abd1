"""Where a running capture puts the tensors it sees: in memory, or straight into the shards on disk."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import torch

from porting.tensorfiles import read_tensor, torch_dtypes
from porting.trace.bits import pieces, plain, same_bits
from porting.trace.sketches import Sketch, StoredAxes, sketch

if TYPE_CHECKING:
    from porting.trace.shards import ShardWriter


class Contents(Protocol):
    """Takes tensors and gives them back by key: the ``tensors`` of the trace that is being made."""

    def put(self, tensor: torch.Tensor) -> str | None:
        """Snapshot a tensor; its key, the same for the same content, or None if the limit leaves it out."""

    def keep(self, tensor: torch.Tensor) -> str:
        """Snapshot a tensor that no limit leaves out."""

    def sketch(self, tensor: torch.Tensor) -> Sketch | None:
        """Sketch a parameter or buffer; see `porting.trace.sketches.sketch`."""

    @property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        """What was put, by key."""


class InMemory(Contents):
    """Keeps copies; content that is met again at the same address is kept once."""

    def __init__(self, limit: int | None = None) -> None:
        """Keep at most ``limit`` bytes, if that is given."""
        self.limit = limit
        self.bytes = 0
        self._tensors: dict[str, torch.Tensor] = {}
        self._seen: dict[Hashable, str] = {}

    @property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        """What was put, by key."""
        return self._tensors

    def put(self, tensor: torch.Tensor) -> str | None:
        """Copy a tensor, unless its content is there."""
        size = tensor.numel() * tensor.element_size()
        full = self.limit is not None and self.bytes + size > self.limit
        return self._known(plain(tensor)) if full else self.keep(tensor)

    def keep(self, tensor: torch.Tensor) -> str:
        """Copy a tensor that no limit leaves out."""
        tensor = plain(tensor)
        key = self._known(tensor)
        if key is None:
            key = f"t{len(self._tensors)}"
            self._tensors[key] = tensor.to("cpu", copy=True, memory_format=torch.contiguous_format)
            self._seen[_place(tensor)] = key
            self.bytes += tensor.numel() * tensor.element_size()
        return key

    def _known(self, tensor: torch.Tensor) -> str | None:
        key = self._seen.get(_place(tensor))
        if key is None or tensor.device.type != "cpu":  # elsewhere, to copy it again costs less than to compare it
            return None
        return key if same_bits(self._tensors[key], tensor) else None

    def sketch(self, tensor: torch.Tensor) -> Sketch | None:
        """Sketch it; the sketch holds its numbers itself."""
        return sketch(tensor)


class OnDisk(Contents):
    """Writes every content as it comes; nothing but its place stays in memory."""

    def __init__(self, shards: ShardWriter, limit: int | None = None) -> None:
        """Write to ``shards``, at most ``limit`` bytes, if that is given."""
        self.shards = shards
        self.limit = limit
        self.bytes = 0
        self._written = _Written(shards)

    @property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        """What was put, by key; each is read when it is asked for."""
        return self._written

    def put(self, tensor: torch.Tensor) -> str | None:
        """Write a tensor, unless its content is there."""
        before = self.shards.bytes
        key = self._add(tensor, None if self.limit is None else self.limit - self.bytes)
        self.bytes += self.shards.bytes - before
        return key

    def keep(self, tensor: torch.Tensor) -> str:
        """Write a tensor that no limit leaves out."""
        key = self._add(tensor, None)
        assert key is not None
        return key

    def sketch(self, tensor: torch.Tensor) -> Sketch | None:
        """Sketch it and write the sketch's numbers; no limit leaves these out."""
        found = sketch(tensor)
        if found is None:
            return None
        keys = [self.keep(torch.from_numpy(axis)) for axis in found.axes]
        return Sketch(StoredAxes(self.tensors, keys), found.crc32)

    def _add(self, tensor: torch.Tensor, room: int | None) -> str | None:
        tensor = plain(tensor)
        return self.shards.add(dtype_name(tensor.dtype), tensor.shape, lambda: pieces(tensor), room)


class _Written(Mapping[str, torch.Tensor]):
    """The contents of shards that are being written."""

    def __init__(self, shards: ShardWriter) -> None:
        self.shards = shards

    def __getitem__(self, key: str) -> torch.Tensor:
        place = self.shards.places[key]
        return read_tensor(self.shards.folder / place.shard, key, self.shards.headers[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.shards.places)

    def __len__(self) -> int:
        return len(self.shards.places)


def dtype_name(dtype: torch.dtype) -> str:
    """What the safetensors format calls a dtype.

    Raises:
        KeyError: it has none.
    """
    return _NAMES[dtype]


_NAMES = {dtype: name for name, dtype in torch_dtypes().items()}


def _place(tensor: torch.Tensor) -> Hashable:
    return tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride(), tensor.device
