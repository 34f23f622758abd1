"""The checkpoint's side of a check: what it holds, and how to read one tensor of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.errors import CheckpointError, PortingError
from porting.text import show
from porting.weights.headers import CheckpointHeaders, read_headers
from porting.weights.report import Remark, Spec


@dataclass(frozen=True)
class Source:
    """A checkpoint, wherever it is.

    Attributes:
        label: where it is, in words.
        specs: what it holds, by name.
        read: read one tensor by its name.
        remarks: what to know about its files; reading tensors may add to them.
        headers: where each tensor lies; None for a state dict in memory.
    """

    label: str
    specs: Mapping[str, Spec]
    read: Callable[[str], torch.Tensor]
    remarks: Sequence[Remark] = ()
    headers: CheckpointHeaders | None = None


Checkpoint = str | os.PathLike[str] | Mapping[str, Any] | Source
"""A file, an index, a folder, a state dict in memory; or one of them that was opened before."""


def source_of(checkpoint: Checkpoint, *, allow_pickle_code: str | None = None) -> Source:
    """Read the headers of a checkpoint on disk, or take a state dict as it is.

    Args:
        checkpoint: where it is, or the state dict.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded (`read_headers`).

    Raises:
        CheckpointError: the file is missing, damaged or of a format that is not read; or the mapping holds no
            tensor.
    """
    if isinstance(checkpoint, Source):
        return checkpoint
    if not isinstance(checkpoint, Mapping):
        headers = read_headers(checkpoint, allow_pickle_code=allow_pickle_code)
        specs = {name: Spec(tensor.dtype, tensor.shape) for name, tensor in headers.tensors.items()}
        return Source(str(headers.path), specs, headers.read, headers.remarks, headers)
    tensors = {str(name): value for name, value in checkpoint.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise _not_a_state_dict(checkpoint)
    return Source(
        "the state dict", {name: spec(name, tensor) for name, tensor in tensors.items()}, tensors.__getitem__
    )


def spec(name: str, tensor: torch.Tensor) -> Spec:
    """What a tensor is.

    Raises:
        PortingError: it has no shape or no plain memory yet: lazy, sparse and the like.
    """
    if torch.nn.parameter.is_lazy(tensor):
        raise PortingError(
            f"{show(name)} has no shape yet: its module is lazy",
            hint="run one forward before checking weights",
        )
    if tensor.layout is not torch.strided:
        raise PortingError(
            f"{show(name)} has the layout {tensor.layout}; only dense tensors are compared",
            hint="pass its dense form (tensor.to_dense())",
        )
    return Spec.of(tensor)


def _not_a_state_dict(mapping: Mapping[Any, Any]) -> CheckpointError:
    inner = [key for key, value in mapping.items() if isinstance(value, Mapping)]
    return CheckpointError(
        f"the state dict holds no tensor; its keys: {', '.join(show(key, 40) for key in list(mapping)[:5])}",
        hint=f"pass the one inside it, under {show(inner[0])}" if inner else "pass names mapped to torch tensors",
    )
