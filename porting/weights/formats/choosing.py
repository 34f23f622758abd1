"""Which file is meant by a path: the file itself, or the checkpoint in a folder."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from porting.errors import CheckpointError
from porting.text import show
from porting.weights.formats.index import is_inside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TORCH = (".bin", ".pt", ".pth", ".th", ".ckpt")
PREFERRED = (
    ((".safetensors.index.json",), "model.safetensors.index.json"),
    ((".safetensors",), "model.safetensors"),
    ((".bin.index.json",), "pytorch_model.bin.index.json"),
    (TORCH, "pytorch_model.bin"),
    ((".npz",), ""),
    ((".npy",), ""),
)
"""How a checkpoint's name ends, and its usual name: the first in a folder is taken."""

OTHERS = {
    (".h5", ".hdf5", ".keras"): "Keras or HDF5",
    (".msgpack",): "Flax",
    (".ckpt.index", ".pb", ".ckpt.meta", ".data-00000-of-00001"): "TensorFlow",
    (".onnx",): "ONNX",
    (".gguf",): "GGUF",
}
"""How the names of checkpoints end that are not read, and whose they are."""


def choose(path: Path) -> Path:
    """The checkpoint file that a path means.

    Raises:
        CheckpointError: the path is missing; or it is a folder that holds no checkpoint, or several of which
            none has the usual name.
    """
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return path
        files = sorted(entry for entry in path.iterdir() if not entry.is_dir())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CheckpointError(f"cannot read the checkpoint {show(path)}: {why}", hint="check the path") from None
    return _in_folder(path, files)


def other_format(file: Path) -> CheckpointError | None:
    """The error for a checkpoint of a known format that is not read, which says how to convert it."""
    for endings, whose in OTHERS.items():
        if file.name.endswith(endings):
            return CheckpointError(
                f"{show(file)} is a checkpoint of {whose}, which is not read",
                hint="load it with its own library, turn its tensors into NumPy arrays and save them with "
                "safetensors.numpy.save_file(arrays, 'model.safetensors'); rules rename them later",
            )
    return None


def _in_folder(folder: Path, files: Sequence[Path]) -> Path:
    for (endings, usual), (more, also) in zip(PREFERRED[::2], PREFERRED[1::2], strict=True):
        indexes, singles = _ending(files, endings), _ending(files, more)
        for file in (*indexes, *singles):
            if file.name in (usual, also):
                return _kept_inside(folder, file)
        if indexes or singles:
            return _kept_inside(folder, _only(folder, indexes or singles, also))
    if refused := next(filter(None, map(other_format, files)), None):
        raise refused
    raise CheckpointError(
        f"{show(folder)} holds no checkpoint: neither {PREFERRED[0][1]} nor {PREFERRED[1][1]} "
        "nor one of another format",
        hint="check the path",
    )


def _ending(files: Sequence[Path], endings: tuple[str, ...]) -> list[Path]:
    return [file for file in files if file.name.endswith(endings)]


def _only(folder: Path, files: Sequence[Path], usual: str) -> Path:
    if len(files) > 1:
        listing = ", ".join(show(file.name) for file in files[:5])
        raise CheckpointError(
            f"{show(folder)} holds {len(files)} checkpoints"
            f"{f' and none is named {usual}' if usual else ''}: {listing}{', …' if len(files) > 5 else ''}",
            hint="name the one that you mean, or add the index of the shards",
        )
    return files[0]


def _kept_inside(folder: Path, file: Path) -> Path:
    if not is_inside(folder, file):
        raise CheckpointError(
            f"{show(file)} is a link to a file outside its folder",
            hint="name the file that it links to, if that is the one you mean",
        )
    return file
