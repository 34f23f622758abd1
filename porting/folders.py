"""A folder that is there whole or not at all: written beside its place, moved there by one rename.

Nothing but the standard library, so that faults can be injected into every system call it makes.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from porting.errors import OutputError
from porting.partial import runs
from porting.text import show

UNFINISHED = re.compile(r"(?P<target>.+)\.(?P<kind>partial|replaced)-(?P<process>\d+)(-\d+)?")
"""What a folder is called while it is written (``partial``), and an earlier one while it is replaced."""

_numbers = itertools.count()
_own: set[str] = set()


@dataclass(frozen=True)
class Kind:
    """One kind of folder.

    Attributes:
        refusal: why something that is there is not replaced: ``exists and is not ...``.
        hint: what to do then, or when the disk refuses.
        ours: whether a folder with these names in it is an earlier one of this kind, which may be replaced; by
            default none is.
    """

    refusal: str
    hint: str
    ours: Callable[[set[str]], bool] = lambda _: False


@contextmanager
def replacing(target: Path, kind: Kind) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that takes its place at the end, or is gone if anything fails.

    A process that is killed leaves the folder under its unfinished name, which the next writer removes. Of several
    writers of one place the last to end wins, where an earlier folder of this kind may be replaced; else the first.

    Raises:
        OutputError: something else is there, or the disk refuses. What was there before stays.
    """
    target = _named(target, kind)
    suffix = f"{os.getpid()}-{next(_numbers)}"
    partial = target.with_name(f"{target.name}.partial-{suffix}")
    old = target.with_name(f"{target.name}.replaced-{suffix}")
    made: list[Path] = []
    _own.update((partial.name, old.name))
    try:
        refuse_other(target, kind)
        _tidy(target, kind)
        made = _make_parents(partial)
        partial.mkdir()
        try:
            yield partial
            sync(partial)
            _swap(partial, target, old, kind)
            made = []
            sync(target.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"cannot write {show(target)}: {show(error.strerror or error)}", hint=kind.hint) from None
    finally:
        _remove_empty(made)
        _own.difference_update((partial.name, old.name))


def require_writable(folder: str | os.PathLike[str], kind: Kind) -> Path:
    """Find out before a long run whether a folder can be written, as far as that can be known.

    Returns:
        The deepest folder above it that is there: the disk that it will be written to.

    Raises:
        OutputError: something else is there, or its place cannot hold a folder.
    """
    target = _named(Path(folder), kind)
    try:
        refuse_other(target, kind)
        place = next(parent for parent in target.parents if parent.exists())
    except OSError as error:
        raise OutputError(f"cannot write {show(target)}: {show(error.strerror or error)}", hint=kind.hint) from None
    if not place.is_dir() or not os.access(place, os.W_OK):
        reason = "may not be written" if place.is_dir() else "is no folder"
        raise OutputError(f"cannot write {show(target)}: {show(place)} {reason}", hint=kind.hint)
    return place


def refuse_other(target: Path, kind: Kind) -> None:
    """Refuse what is there and is neither empty nor of this kind.

    Raises:
        OutputError: that is so.
    """
    if target.parent.is_dir():
        with only_writer(target.parent):
            _refuse_other(target, kind)


def _refuse_other(target: Path, kind: Kind) -> None:
    if target.is_symlink() or not _may_be_replaced(target, kind):
        raise OutputError(
            f"{show(target)} {kind.refusal}, so it is not replaced", hint=f"{kind.hint}, or move that one away"
        )


def _may_be_replaced(target: Path, kind: Kind) -> bool:
    """Whether nothing, an empty folder or one of this kind is there."""
    try:
        names = {entry.name for entry in target.iterdir()}
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        return False
    return not names or kind.ours(names)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, and wait until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        write_at(descriptor, memoryview(content), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_at(descriptor: int, content: memoryview, offset: int) -> None:
    """Write all of ``content``, in as many system calls as it takes."""
    done = 0
    while done < content.nbytes:
        done += os.pwrite(descriptor, content[done:], offset + done)


def sync(path: Path) -> None:
    """Wait until a file or a folder's list of names is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(target: Path, kind: Kind) -> Path:
    """The absolute path of a folder, which must have a name that others beside it can be made from.

    Raises:
        OutputError: it has none.
    """
    target = target.absolute()
    if target.name in ("", ".."):
        raise OutputError(f"{show(target)} has no name of its own", hint=kind.hint)
    return target


def _swap(partial: Path, target: Path, old: Path, kind: Kind) -> None:
    """Move what is at ``target`` to ``old``, and ``partial`` to its place; if that fails, what was there back."""
    with only_writer(target.parent):
        _refuse_other(target, kind)
        try:
            if target.exists():
                target.rename(old)
            partial.rename(target)
        except BaseException:
            _put_back(old, target)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _put_back(old: Path, target: Path) -> None:
    """Move what was at ``target`` to its place again, or remove it if there is something else by now."""
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        with suppress(OSError):
            old.rename(target)


@contextmanager
def only_writer(parent: Path) -> Iterator[None]:
    """Keep other threads and processes from moving folders in ``parent``, where its file system can do that."""
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _tidy(target: Path, kind: Kind) -> None:
    """Clear away what killed processes left; a folder that one had moved aside and not replaced is put back."""
    if not target.parent.is_dir():
        return
    with only_writer(target.parent):
        for left in target.parent.iterdir():
            name = UNFINISHED.fullmatch(left.name)
            if name is None or name["target"] != target.name or left.name in _own or runs(int(name["process"])):
                continue
            if name["kind"] == "replaced" and _may_be_replaced(left, kind):
                _put_back(left, target)
            else:
                shutil.rmtree(left, ignore_errors=True)


def _make_parents(path: Path) -> list[Path]:
    """Make the folders above ``path``; those that were not there, the deepest first."""
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
