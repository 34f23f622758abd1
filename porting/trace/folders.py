"""What a trace's folder holds, and which folders may be replaced by one."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager
from pathlib import Path

from porting import folders

MANIFEST = "manifest.json"
SHARD_NAME = re.compile(r"tensors-\d{5}\.safetensors")


def replacing(target: Path) -> AbstractContextManager[Path]:
    """Yield an empty folder beside ``target`` that takes its place at the end, or is gone if anything fails.

    Raises:
        OutputError: something that is not a trace is there, or the disk refuses. What was there before stays.
    """
    return folders.replacing(target, _TRACE)


def require_writable(folder: str | os.PathLike[str]) -> None:
    """Find out before a long run whether a trace can be written to ``folder``, as far as that can be known.

    Raises:
        OutputError: something that is not a trace is there, or its place cannot hold a folder.
    """
    folders.require_writable(folder, _TRACE)


def _is_trace(names: set[str]) -> bool:
    """Whether these are a manifest, shards, and nothing else."""
    shards = {name for name in names if SHARD_NAME.fullmatch(name)}
    return bool(shards) and names - shards == {MANIFEST}


_TRACE = folders.Kind("exists and is not a trace", "name a folder that can be written with --output", _is_trace)
