"""Checkpoints in safetensors files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from porting.tensorfiles import TensorHeader, read_header, read_tensor, torch_dtypes
from porting.weights.formats.entries import CheckpointTensor, Chunk, Notes, ranged, tensor_bytes, true_or_false

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """One safetensors file.

    Attributes:
        path: where it is.
        notes: where to leave remarks.
    """

    path: Path
    notes: Notes = field(compare=False, repr=False)

    def read(self, name: str, header: TensorHeader) -> torch.Tensor:
        """Read one tensor.

        Raises:
            CheckpointError: the file ends early, or torch has no such dtype.
        """
        return true_or_false(self.path, name, read_tensor(self.path, name, header), self.notes)

    def chunks(self, name: str, header: TensorHeader) -> Iterator[Chunk]:
        """Read one tensor in pieces.

        Raises:
            CheckpointError: the file ends early.
        """
        if header.dtype == "BOOL":
            return tensor_bytes(self.read(name, header))
        return ranged(self.path, name, header.start, header.stop)


def read_safetensors(path: Path, notes: Notes) -> dict[str, CheckpointTensor]:
    """The tensors of one safetensors file, from its header.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    file = SafetensorsFile(path, notes)
    words = {key: str(dtype).removeprefix("torch.") for key, dtype in torch_dtypes().items()}
    return {
        name: CheckpointTensor(words.get(entry.dtype, entry.dtype), entry.shape, file, entry)
        for name, entry in read_header(path).tensors.items()
    }
