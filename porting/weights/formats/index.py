"""The index of a sharded checkpoint: which tensor lies in which file, and only in files of its own folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from porting import strictjson
from porting.errors import CheckpointError
from porting.tensorfiles import opened
from porting.text import show

MAX_INDEX_BYTES = 64 << 20
"""Room for 200,000 tensors whose names and files have 300 characters. huggingface_hub stops at 10 MiB, which
100,000 names of experts exceed."""

MAX_INDEX_VALUES = 1_000_000

ENDING = ".index.json"


class Index(NamedTuple):
    """An index.

    Attributes:
        weight_map: tensor name to the path of its shard, relative to the index.
        total_size: how many bytes it says that all tensors have; None if it does not.
    """

    weight_map: dict[str, str]
    total_size: float | None


def read_index(index: Path) -> Index:
    """Read a ``.safetensors.index.json`` or ``.bin.index.json``.

    Raises:
        CheckpointError: it is missing, too large, not an index, or names a shard that lies outside the
            index's folder or is not of the format that the index's own name says.
    """
    document = _document(index)
    weight_map: Any = document.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise _broken(index, "it has no weight_map")
    if not all(isinstance(given, str) for given in weight_map.values()):
        raise _broken(index, "its weight_map does not map names to file names")
    shards = {given: _shard(index, given) for given in dict.fromkeys(weight_map.values())}
    metadata: Any = document.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    size = total if isinstance(total, int | float) and not isinstance(total, bool) else None
    return Index({name: shards[given] for name, given in weight_map.items()}, size)


def is_inside(folder: Path, file: Path) -> bool:
    """Whether a file, its links followed, lies in the folder or in the blobs of its Hub cache."""
    target, root = Path(os.path.realpath(file)), Path(os.path.realpath(folder))
    caches = [parent.parent / "blobs" for parent in root.parents if parent.name == "snapshots"]
    return any(target.is_relative_to(allowed) for allowed in (root, *caches))


def _document(index: Path) -> dict[str, Any]:
    with opened(index) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > MAX_INDEX_BYTES:
            raise _broken(index, f"it has {size:,} bytes, more than {MAX_INDEX_BYTES:,}")
        raw = os.pread(descriptor, size, 0)
    try:
        document = strictjson.loads(raw, most=MAX_INDEX_VALUES)
    except ValueError as error:
        raise _broken(index, f"it is not JSON: {show(error)}") from None
    if not isinstance(document, dict):
        raise _broken(index, "it has no weight_map")
    return document


def _shard(index: Path, given: str) -> str:
    posix, windows = PurePosixPath(given), PureWindowsPath(given)
    ending = PurePosixPath(index.name.removesuffix(ENDING)).suffix
    if not given.endswith(ending) or not given.isprintable():
        raise _broken(index, f"its shard {show(given)} is not the name of a {ending} file")
    if windows.drive or windows.root or "\\" in given or ".." in posix.parts:
        raise _broken(index, f"its shard {show(given)} is not a path within its folder")
    if not is_inside(index.parent, index.parent / posix):
        raise _broken(index, f"its shard {show(given)} is a link to a file outside its folder")
    return str(posix)


def _broken(index: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{show(index)} is not a valid index: {why}", hint="fetch it again; no shard was opened")
