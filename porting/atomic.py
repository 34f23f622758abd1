"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from porting.errors import OutputError
from porting.partial import clear_away, partial_of
from porting.text import show

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk says that has no room, or a person's share of it."""


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    Raises:
        OutputError: the disk refuses; what was at ``path`` before is still there.
    """
    write_whole(path, text)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write ``content``, a text as UTF-8, to a file beside ``path`` and rename it to ``path`` once it is on the disk.

    What UTF-8 has no bytes for (a surrogate, as in the name of a file that is not UTF-8) is written as JSON and Python
    escape it. A process that is killed leaves a hidden file, which the next one to write the same removes.

    Raises:
        OutputError: the disk refuses; what was at ``path`` before is still there.
    """
    partial = partial_of(path)
    clear_away(path)
    try:
        with partial.open("xb") as file:
            file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise refused(path, error, "make its folder writable, or name another one") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def refused(path: Path, error: OSError, hint: str) -> OutputError:
    """The error that says why something cannot be written, and what to do then.

    Args:
        path: what was to be written.
        error: what the system said.
        hint: what to do unless there is no room.
    """
    full = error.errno in FULL
    return OutputError(
        f"cannot write {show(path)}: {error.strerror or show(error)}",
        hint="make room on its disk, then run this again; what was there before is as it was" if full else hint,
    )
