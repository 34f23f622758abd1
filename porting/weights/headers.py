"""What a checkpoint holds: names, shapes and dtypes, from headers only; no tensor data is read."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from porting.errors import CheckpointError
from porting.tensorfiles import TensorHeader, read_header, read_tensor, torch_dtypes
from porting.text import show
from porting.weights.index import is_inside, read_index

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import torch

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
NOT_READ_YET = (".bin", ".pt", ".pth", ".ckpt", ".npz", ".bin.index.json")


@dataclass(frozen=True, slots=True)
class CheckpointTensor:
    """One tensor of a checkpoint.

    Attributes:
        dtype: in torch's words (``"float32"``); in the file's own where torch has no such dtype.
        shape: its dimensions.
        file: the file that holds it.
        header: its entry there.
    """

    dtype: str
    shape: tuple[int, ...]
    file: Path
    header: TensorHeader


@dataclass(frozen=True)
class CheckpointHeaders:
    """The headers of a whole checkpoint.

    Attributes:
        path: the file or index that was read; where a folder was given, the one chosen in it.
        tensors: by name, in the order of the file or of the index.
    """

    path: Path
    tensors: Mapping[str, CheckpointTensor]

    def read(self, name: str) -> torch.Tensor:
        """Read one tensor's data.

        Raises:
            CheckpointError: its file changed since, or torch has no such dtype.
        """
        entry = self.tensors[name]
        return read_tensor(entry.file, name, entry.header)


def read_headers(path: str | os.PathLike[str]) -> CheckpointHeaders:
    """Read the headers of a ``.safetensors`` file, a ``.safetensors.index.json`` or a folder that holds one.

    In a folder, ``model.safetensors.index.json`` is taken first, then ``model.safetensors``, then the only
    index, then the only ``.safetensors`` file.

    Raises:
        CheckpointError: there is none or no single one, it is of a format that is not read, or it is damaged.
    """
    file = _chosen(Path(path))
    if file.name.endswith(".safetensors.index.json"):
        return CheckpointHeaders(file, _sharded(file))
    if file.name.endswith(".safetensors"):
        return CheckpointHeaders(file, _tensors(file))
    if file.name.endswith(NOT_READ_YET):
        raise _not_read_yet(file)
    raise CheckpointError(
        f"{show(file)} is not a checkpoint of a known format",
        hint="name a .safetensors file, a .safetensors.index.json or the folder that holds it",
    )


def _chosen(path: Path) -> Path:
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return path
        files = sorted(entry for entry in path.iterdir() if not entry.is_dir())
    except OSError as error:
        raise CheckpointError(
            f"cannot read the checkpoint {show(path)}: {error.strerror}", hint="check the path"
        ) from None
    return _in_folder(path, files)


def _in_folder(folder: Path, files: list[Path]) -> Path:
    indexes = [file for file in files if file.name.endswith(".safetensors.index.json")]
    singles = [file for file in files if file.name.endswith(".safetensors")]
    for wanted in (INDEX, SINGLE):
        if found := [file for file in (*indexes, *singles) if file.name == wanted]:
            return _kept_inside(folder, found[0])
    if len(indexes or singles) == 1:
        return _kept_inside(folder, (indexes or singles)[0])
    if candidates := [show(file.name) for file in indexes or singles]:
        raise CheckpointError(
            f"{show(folder)} holds {len(candidates)} checkpoints and none is named {SINGLE}: "
            f"{', '.join(candidates[:5])}{', …' if len(candidates) > 5 else ''}",
            hint="name the one that you mean, or add the index of the shards",
        )
    if others := [file for file in files if file.name.endswith(NOT_READ_YET)]:
        raise _not_read_yet(others[0])
    raise CheckpointError(f"{show(folder)} holds no checkpoint: neither {INDEX} nor {SINGLE}", hint="check the path")


def _kept_inside(folder: Path, file: Path) -> Path:
    if not is_inside(folder, file):
        raise CheckpointError(
            f"{show(file)} is a link to a file outside its folder",
            hint="name the file that it links to, if that is the one you mean",
        )
    return file


def _sharded(index: Path) -> dict[str, CheckpointTensor]:
    weight_map = read_index(index)
    found: dict[str, CheckpointTensor] = {}
    for shard in dict.fromkeys(weight_map.values()):
        for name, tensor in _tensors(index.parent / shard).items():
            if weight_map.get(name) != shard:
                raise CheckpointError(
                    f"{show(index)} and its shards disagree: {show(name)} lies in {show(shard)}, "
                    f"the index says {show(weight_map.get(name, 'nothing of it'))}",
                    hint="fetch the checkpoint again, or write the index anew",
                )
            found[name] = tensor
    if missing := [name for name in weight_map if name not in found]:
        raise CheckpointError(
            f"{show(index)} names {len(missing):,} tensors that its shards lack, {show(missing[0])} first",
            hint="fetch the checkpoint again, or write the index anew",
        )
    return {name: found[name] for name in weight_map}


def _tensors(file: Path) -> dict[str, CheckpointTensor]:
    words = {key: str(dtype).removeprefix("torch.") for key, dtype in torch_dtypes().items()}
    return {
        name: CheckpointTensor(words.get(entry.dtype, entry.dtype), entry.shape, file, entry)
        for name, entry in read_header(file).tensors.items()
    }


def _not_read_yet(file: Path) -> CheckpointError:
    how = "numpy.load(path)" if file.name.endswith(".npz") else "torch.load(path, weights_only=True)"
    return CheckpointError(
        f"{show(file)} is of a format that is not read yet; safetensors is",
        hint=f"load it safely with {how}, then save its tensors with safetensors.torch.save_file",
    )
