"""Generated files: what may be replaced, and writing them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from porting.atomic import write_text
from porting.errors import OutputError
from porting.text import show


def refuse_foreign(path: Path, marker: str, *, command: str, hint: str) -> None:
    """Refuse to replace what is at a path and has no line that is the marker.

    Raises:
        OutputError: that is so; the message names the command that writes files with the marker.
    """
    if path.exists() and (not path.is_file() or marker.encode() not in path.read_bytes().splitlines()):
        raise OutputError(f"{show(path)} exists and was not written by {command}, so it is not replaced", hint=hint)


def write_files(files: Mapping[Path, str], *, hint: str) -> None:
    """Write files, each whole or not at all, and the folders that they need.

    Raises:
        OutputError: the disk refuses.
    """
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {show(path.parent)}: {error.strerror}", hint=hint) from None
        write_text(path, text)
