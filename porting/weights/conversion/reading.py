"""The checkpoint's side of a conversion: a tensor's bytes in pieces, and files that must not change meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from porting.errors import CheckpointError, RuleError
from porting.tensorfiles import opened, sha256_of
from porting.text import show
from porting.trace.bits import pieces, plain
from porting.weights.report import Spec
from porting.weights.rules.steps import Step
from porting.weights.source import Source


@dataclass(frozen=True)
class SourceFile:
    """A file of the checkpoint, as it was when the conversion began.

    Attributes:
        path: where it is.
        size: in bytes.
        changed: when it was last changed, in ns.
        header_sha256: of the header, its length field included; empty for a file that is not safetensors.
    """

    path: Path
    size: int
    changed: int
    header_sha256: str

    @classmethod
    def of(cls, path: Path) -> SourceFile:
        """Look at a file.

        Raises:
            CheckpointError: it cannot be read.
        """
        with opened(path) as descriptor:
            status = os.fstat(descriptor)
            digest = _header_hash(descriptor, status.st_size) if path.name.endswith(".safetensors") else ""
        return cls(path, status.st_size, status.st_mtime_ns, digest)

    def to_dict(self) -> dict[str, Any]:
        """As it is recorded: by its name alone, which means the same on other machines."""
        return {"name": self.path.name, "size": self.size, "header_sha256": self.header_sha256 or None}

    def require_unchanged(self) -> None:
        """Look again.

        Raises:
            CheckpointError: the file is not what it was.
        """
        if SourceFile.of(self.path) != self:
            raise CheckpointError(
                f"{show(self.path)} was changed while it was converted",
                hint="wait until nothing writes to the checkpoint, then run it again",
            )


def source_files(source: Source) -> tuple[SourceFile, ...]:
    """The files that a checkpoint is in; none for a state dict in memory.

    Raises:
        CheckpointError: one cannot be read.
    """
    tensors = source.headers.tensors.values() if source.headers is not None else ()
    return tuple(SourceFile.of(path) for path in dict.fromkeys(tensor.file for tensor in tensors))


def made(step: Step, source: Source, wanted: Iterable[str]) -> Iterator[tuple[str, Iterable[memoryview]]]:
    """The wanted targets of a step, each with its bytes in pieces, which are read, changed and let go of one by one.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        RuleError: an operation cannot be applied, or gives something else than planned.
    """
    if step.is_rename:
        yield step.targets[0], stored(source, step.sources[0])
        return
    results = step.run(source.read)
    for name in wanted:
        tensor = results.pop(name)
        _require_planned(step, name, tensor)
        yield name, pieces(plain(tensor))
        del tensor


def _require_planned(step: Step, name: str, tensor: torch.Tensor) -> None:
    planned = step.result(name)
    if Spec.of(tensor) != planned:
        raise RuleError(
            f"{show(step.rule)} makes {show(name)} as {Spec.of(tensor)}, and {planned} was planned",
            hint="a function of Apply must give dtypes and shapes that do not depend on the data",
        )


def stored(source: Source, name: str) -> Iterable[memoryview]:
    """The bytes of one tensor of a checkpoint as they are, in pieces."""
    if source.headers is None:
        return pieces(plain(source.read(name)))
    return map(memoryview, source.headers.chunks(name))


def _header_hash(descriptor: int, size: int) -> str:
    """The hash of the first bytes of a safetensors file: as many as its length field says."""
    length = int.from_bytes(os.pread(descriptor, 8, 0), "little")
    return sha256_of(descriptor, min(size, 8 + length))
