"""Read a checkpoint file of any format: by its name where safetensors is promised, else by what it starts with."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import torch

from porting.errors import CheckpointError
from porting.tensorfiles import DTYPE_BITS
from porting.text import show
from porting.weights.formats.arrays import read_npy, read_npz
from porting.weights.formats.choosing import TORCH, other_format
from porting.weights.formats.entries import CheckpointTensor, Notes
from porting.weights.formats.index import read_index
from porting.weights.formats.safetensors import read_safetensors
from porting.weights.formats.torchfiles import read_torch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

INDEXES = (".safetensors.index.json", ".bin.index.json")


def read_any(file: Path, notes: Notes, allow_pickle_code: str | None = None) -> dict[str, CheckpointTensor]:
    """The tensors of a checkpoint file or index.

    Args:
        file: of any format.
        notes: where remarks are left, now and when a tensor is read.
        allow_pickle_code: the sha256 of a pickle that may run code.

    Raises:
        CheckpointError: its format is not read, or it is damaged or unsafe.
    """
    if file.name.endswith(INDEXES):
        return _sharded(file, notes, allow_pickle_code)
    if file.name.endswith(".safetensors"):
        return read_safetensors(file, notes)
    if file.name.endswith(".npz"):
        return read_npz(file, notes)
    if file.name.endswith(".npy"):
        return read_npy(file, notes)
    if file.name.endswith(TORCH):
        return read_torch(file, notes, allow_pickle_code)
    raise other_format(file) or CheckpointError(
        f"{show(file)} is not a checkpoint of a known format",
        hint="name a .safetensors, .bin, .pt, .pth, .th, .ckpt, .npz or .npy file, an index (.index.json) "
        "or the folder that holds it",
    )


def _sharded(index: Path, notes: Notes, allow_pickle_code: str | None) -> dict[str, CheckpointTensor]:
    weight_map, total_size = read_index(index)
    _require_shards(index, weight_map.values())
    found: dict[str, CheckpointTensor] = {}
    for shard in dict.fromkeys(weight_map.values()):
        for name, tensor in read_any(index.parent / shard, notes, allow_pickle_code).items():
            if weight_map.get(name) != shard:
                raise _disagreement(
                    f"{show(index)} and its shards disagree: {show(name)} lies in {show(shard)}, "
                    f"the index says {show(weight_map.get(name, 'nothing of it'))}",
                )
            found[name] = tensor
    if missing := [name for name in weight_map if name not in found]:
        raise _disagreement(
            f"{show(index)} names {len(missing):,} tensors that its shards lack, {show(missing[0])} first"
        )
    _check_total(index, found, total_size, notes)
    return {name: found[name] for name in weight_map}


def _require_shards(index: Path, shards: Iterable[str]) -> None:
    paths = [index.parent / shard for shard in dict.fromkeys(shards)]
    lost = [path for path in paths if not os.path.lexists(path)]
    if lost:
        more = f" (shards that are missing: {len(lost):,})" if len(lost) > 1 else ""
        raise CheckpointError(
            f"cannot read {show(lost[0])}: No such file or directory{more}",
            hint=f"fetch what {show(index.name)} names into its folder",
        )


def _disagreement(message: str) -> CheckpointError:
    return CheckpointError(message, hint="fetch the checkpoint again, or write the index anew")


def _check_total(index: Path, found: dict[str, CheckpointTensor], said: float | None, notes: Notes) -> None:
    total = sum(_bytes(tensor) for tensor in found.values())
    if said is not None and said != total:
        notes.add("total-size", f"{show(index.name)} says that its tensors have {said:,} bytes; they have {total:,}")


def _bytes(tensor: CheckpointTensor) -> int:
    dtype = getattr(torch, tensor.dtype, None)
    bits = 8 * dtype.itemsize if isinstance(dtype, torch.dtype) else DTYPE_BITS[tensor.dtype]
    return math.prod(tensor.shape) * bits // 8
