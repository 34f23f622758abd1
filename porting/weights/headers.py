"""What a checkpoint holds: names, shapes and dtypes, from headers only; no tensor data is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from porting.weights.formats.choosing import choose
from porting.weights.formats.entries import CheckpointTensor, Notes
from porting.weights.formats.reading import read_any

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from porting.weights.report import Remark

__all__ = ["CheckpointHeaders", "CheckpointTensor", "read_headers"]


@dataclass(frozen=True)
class CheckpointHeaders:
    """The headers of a whole checkpoint.

    Attributes:
        path: the file or index that was read; where a folder was given, the one chosen in it.
        tensors: by name, in the order of the file or of the index.
        remarks: what to know about the files; reading tensors may add to them.
    """

    path: Path
    tensors: Mapping[str, CheckpointTensor]
    remarks: Sequence[Remark] = field(default=(), compare=False)

    def read(self, name: str) -> torch.Tensor:
        """Read one tensor's data.

        Raises:
            CheckpointError: its file is damaged or changed since, or torch has no such dtype.
        """
        tensor = self.tensors[name]
        return tensor.source.read(name, tensor.header)

    def chunks(self, name: str) -> Iterator[bytes | memoryview]:
        """Read one tensor's data in pieces: its elements' bytes, little-endian, row by row.

        Raises:
            CheckpointError: as for `read`, perhaps after some pieces.
        """
        tensor = self.tensors[name]
        return tensor.source.chunks(name, tensor.header)


def read_headers(path: str | os.PathLike[str], *, allow_pickle_code: str | None = None) -> CheckpointHeaders:
    """Read the headers of a checkpoint: one file, the index of a sharded one, or a folder that holds one.

    Read are ``.safetensors``, what ``torch.save`` writes (``.bin``, ``.pt``, ``.pth``, ``.th``, ``.ckpt``), ``.npz``,
    ``.npy``, and ``.safetensors.index.json`` and ``.bin.index.json``. In a folder, safetensors goes before the
    others, an index before a file, and ``model.safetensors`` and ``pytorch_model.bin`` before other names.

    Nothing in a file is run: a pickle is interpreted without calling anything, in a process of its own.

    Args:
        path: where it is.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded. It is only for a file
            that you trust as much as a program, and no other file is loaded so.

    Raises:
        CheckpointError: there is none or no single one, it is of a format that is not read, it is damaged, or
            only running code would read it.
    """
    file, notes = choose(Path(path)), Notes()
    return CheckpointHeaders(file, read_any(file, notes, allow_pickle_code), notes)
