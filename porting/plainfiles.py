"""Files that nobody vouches for, read only if they come to an end."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path


def read_plain(path: Path, most: int) -> bytes:
    """Read a file whole.

    Args:
        path: of a file on a disk: a pipe would block, and a device may never end.
        most: bytes that it may have.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is no such file, or has more bytes; the message says which.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        raw = file.read(most + 1)
    if len(raw) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return raw


def files_below(folder: Path, most: int, *, hidden: bool = True) -> list[Path]:
    """The files in a folder and in those below it, links to files among them, in the order of their names.

    Args:
        folder: to look into; folders below that are links are not gone into.
        most: files that are given, and folders that are looked into.
        hidden: whether names in the folder itself count that begin with a dot.
    """
    found: list[Path] = []
    for place, folders, names in islice(os.walk(folder), most):
        seen = hidden or Path(place) != folder
        folders[:] = sorted(name for name in folders if seen or not name.startswith("."))
        found += [Path(place, name) for name in sorted(names) if seen or not name.startswith(".")]
        if len(found) >= most:
            break
    return found[:most]
