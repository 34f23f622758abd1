"""Generated files: what may be replaced, and writing them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from porting.atomic import write_whole
from porting.errors import OutputError
from porting.text import show

BEGINNING = 4096
"""Bytes of a file that is no Python in which its marker is."""


def refuse_foreign(path: Path, marker: str, *, command: str, hint: str) -> None:
    """Refuse to replace what is at a path and does not have the marker: as a line, in a Python file, else at its
    beginning.

    Raises:
        OutputError: that is so; the message names the command that writes files with the marker.
    """
    if path.exists() and not (path.is_file() and _has(path, marker.encode())):
        raise OutputError(f"{show(path)} exists and was not written by {command}, so it is not replaced", hint=hint)


def _has(path: Path, marker: bytes) -> bool:
    with path.open("rb") as file:
        return marker in (file.read().splitlines() if path.suffix == ".py" else file.read(BEGINNING))


def write_files(files: Mapping[Path, str | bytes], *, hint: str) -> None:
    """Write files, each whole or not at all, and the folders that they need; a folder that stays empty is not left.

    Raises:
        OutputError: the disk refuses.
    """
    missing = {folder for path in files for folder in path.parents if not folder.exists()}
    try:
        for path, text in files.items():
            _make_folder(path.parent, hint)
            write_whole(path, text)
    finally:
        for folder in sorted(missing, reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _make_folder(folder: Path, hint: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {show(folder)}: {error.strerror}", hint=hint) from None
