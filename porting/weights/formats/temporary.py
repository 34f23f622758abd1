"""A folder for what only this process needs: gone when it ends, or, if it was killed, when the next one is made."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "porting-pickle-"
LOCK = "lock"
"""A file in each folder, which is locked as long as the process runs that made it."""


def temporary_folder() -> Path:
    """Make a folder that only this user can read, and remove those of killed processes."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):
            _remove_if_left(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fcntl.flock(os.open(folder / "new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), fcntl.LOCK_EX)
    (folder / "new").rename(folder / LOCK)
    return folder


def _remove_if_left(lock: Path) -> None:
    """Remove the folder of a lock that no process holds; raises OSError where one does, or it is another user's."""
    descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.parent, ignore_errors=True)
    finally:
        os.close(descriptor)
