"""The tensors of a trace on disk: found by the shards' headers, read one at a time, checked whenever they are read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting.errors import CheckpointError, TraceError
from porting.tensorfiles import Header, read_header, read_tensor, torch_dtypes
from porting.text import show
from porting.trace.bits import as_bytes
from porting.trace.fields import near

if TYPE_CHECKING:
    import torch


class Store(Mapping[str, "torch.Tensor"]):
    """Tensors on disk, by key; nothing but headers is read before a tensor is asked for.

    Attributes:
        headers: of the shards that could be read, by file name.
        places: shard and recorded crc32 of each tensor, by key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.headers: dict[str, Header] = {}
        self.places: dict[str, tuple[str, int]] = {}
        self._dtypes = {name: str(dtype).removeprefix("torch.") for name, dtype in torch_dtypes().items()}

    def open(self, name: str) -> Header:
        """Read the header of a shard.

        Raises:
            TraceError: the file is missing, a link, or no safetensors file.
        """
        path = self.folder / name
        if path.is_symlink():
            raise TraceError(f"{show(path)} is a link; a trace's shards are files of its own")
        try:
            self.headers[name] = read_header(path)
        except CheckpointError as error:
            raise TraceError(error.message, hint=error.hint) from None
        return self.headers[name]

    def register(self, place: Mapping[str, Any], dtype: str, shape: tuple[int, ...], *, guess: bool = True) -> str:
        """Note where a tensor lies.

        Args:
            place: its shard, key and crc32.
            dtype: what it is said to be, by torch's name.
            shape: the same.
            guess: whether to ask after a key that was meant.

        Returns:
            What is wrong with the place, in words: nothing, if its shard's header says the same.
        """
        key, shard, crc32 = place["key"], place["shard"], place["crc32"]
        tensors = self.headers[shard].tensors
        if key not in tensors:
            return f"{show(shard)} holds no tensor {show(key)}{near(key, tensors if guess else ())}"
        found = (self._dtypes.get(tensors[key].dtype, tensors[key].dtype), tensors[key].shape)
        if found != (dtype, shape):
            said = f"{show(dtype)} {show(list(shape))}"
            return f"it is said to be {said}, and tensor {show(key)} is {found[0]} {list(found[1])}"
        if self.places.setdefault(key, (shard, crc32)) != (shard, crc32):
            return f"tensor {show(key)} is said to be two, in {show(self.places[key])} and in {show((shard, crc32))}"
        return ""

    def checksum(self, key: str) -> int:
        """The recorded crc32 of a tensor's bytes; the tensor is not read."""
        return self.places[key][1]

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a tensor; it is not read."""
        return self.headers[self.places[key][0]].tensors[key].shape

    def __getitem__(self, key: str) -> torch.Tensor:
        shard, crc32 = self.places[key]
        path = self.folder / shard
        try:
            tensor = read_tensor(path, key, self.headers[shard].tensors[key])
        except CheckpointError as error:
            raise TraceError(f"the trace is damaged: {error.message}", hint=error.hint) from None
        found = checksum_of(tensor)
        if found != crc32:
            raise TraceError(
                f"the trace is damaged: tensor {show(key)} in {show(path)} does not have its checksum: "
                f"its crc32 is {found}, and the manifest says {crc32}",
                hint="record the trace again with: porting capture",
            )
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def checksum_of(tensor: torch.Tensor) -> int:
    """The crc32 of a tensor's bytes, row-major."""
    return zlib.crc32(as_bytes(tensor.contiguous()).numpy().data)
