"""Write the working folder: all of it or nothing, and never over what is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from porting.atomic import refused
from porting.errors import OutputError
from porting.folders import only_writer, write_new
from porting.partial import clear_away, partial_of
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

    One that a killed process left is removed.

    Raises:
        OutputError: it cannot be made.
    """
    staging = partial_of(folder)
    missing = [each for each in staging.parents if not each.exists()]
    clear_away(folder)
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise refused(folder, error, HINT) from None
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for each in missing:
            with suppress(OSError):  # it is not there, or holds what another process made
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
            write_new(staging / name, text.encode())
        with only_writer(folder.parent):
            refuse_existing(folder)
            if folder.is_dir():
                _move(sorted(files), staging, folder)
            else:
                staging.rename(folder)
    except OSError as error:
        raise refused(folder, error, HINT) from None
    return tuple(folder / name for name in files)


def _move(names: Sequence[str], staging: Path, folder: Path) -> None:
    """Move all files or none: the folder may be the one that the command runs in, which has to stay itself."""
    try:
        for name in names:
            (staging / name).rename(folder / name)
    except BaseException:
        for name in names:
            if not (staging / name).exists():
                (folder / name).unlink(missing_ok=True)
        raise
