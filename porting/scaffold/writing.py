"""Write the working folder: all of it or nothing, and never over what is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from porting.errors import OutputError
from porting.text import show

HINT = "name another folder with --output"
IGNORED = """\
traces/
converted/
*.log
__pycache__/
.porting-*
"""
"""What does not belong into a repository: it is large, and made anew by a command."""


def refuse_existing(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        OutputError: it does, or it is no folder.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{show(folder)} exists and is no folder", hint=HINT)
    if folder.is_dir() and (first := next(folder.iterdir(), None)) is not None:
        raise OutputError(
            f"{show(folder)} exists and holds {show(first.name)}; nothing is written over files that are there",
            hint=f"{HINT}, or go on with the portfile that is there: porting checklist",
        )


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one, in which relative paths mean the same; it is gone afterwards.

    Raises:
        OutputError: it cannot be made.
    """
    staging = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    missing = [each for each in staging.parents if not each.exists()]
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"cannot write {show(folder)}: {error.strerror}", hint=HINT) from None
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for each in missing:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


def place(files: Mapping[str, str], staging: Path, folder: Path) -> tuple[Path, ...]:
    """Write files into the staging folder, and make that the wanted one; into an empty one, they are moved.

    Raises:
        OutputError: the disk refuses, or something is there by now.
    """
    try:
        shutil.rmtree(staging)
        staging.mkdir()
        for name, text in files.items():
            staging.joinpath(name).write_text(text, encoding="utf-8")
        if folder.is_dir():
            _move(staging, folder)
        else:
            staging.rename(folder)
    except OSError as error:
        raise OutputError(f"cannot write {show(folder)}: {error.strerror}", hint=HINT) from None
    return tuple(folder / name for name in files)


def _move(staging: Path, folder: Path) -> None:
    """Move all files or none: the folder may be the one that the command runs in, which has to stay itself."""
    moved: list[Path] = []
    try:
        for path in sorted(staging.iterdir()):
            moved.append(folder / path.name)
            path.rename(moved[-1])
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
