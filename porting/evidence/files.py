"""Files by their content: hashed once, and read again only when they were touched."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

BLOCK = 1 << 20


def fingerprint(path: Path) -> str | None:
    """SHA-256, size in bytes and time of the last change in nanoseconds, with spaces between; None without a file."""
    try:
        facts = path.stat()
        return f"{_hash(str(path), facts.st_size, facts.st_mtime_ns)} {facts.st_size} {facts.st_mtime_ns}"
    except (OSError, ValueError):  # such as a name that no disk can have
        return None


def is_same(path: Path, earlier: str) -> bool:
    """Whether a file has the content that it had; a touched one is read, an untouched one is not."""
    sha256, *facts = earlier.split(" ")
    try:
        now = path.stat()
        if facts == [str(now.st_size), str(now.st_mtime_ns)]:
            return True
        if facts and facts[0] != str(now.st_size):
            return False
        return _hash(str(path), now.st_size, now.st_mtime_ns) == sha256
    except (OSError, ValueError):
        return False


@lru_cache(maxsize=100_000)
def _hash(path: str, _size: int, _mtime_ns: int) -> str:
    """The hash of a file, kept for as long as it is not touched."""
    if not os.path.isfile(path):  # noqa: PTH113 - a pipe or a device would not come to an end
        raise FileNotFoundError(path)
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123 - a path as the cache keeps it
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
