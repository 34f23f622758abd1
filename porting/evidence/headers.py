"""What a checkpoint holds, whatever its values are: the names, shapes and dtypes of its tensors."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from porting.evidence.using import checkpoint_files


def headers_of(path: Path) -> str | None:
    """The fingerprint of a checkpoint's headers, and that of its files' sizes and times; None if it cannot be read."""
    touched = _touched(path)
    found = _hash(str(path), touched)
    return None if found is None else f"{found} {touched}"


def has_headers(path: Path, earlier: str) -> bool:
    """Whether a checkpoint holds what it held; one whose files were not touched is not read."""
    headers, _, touched = earlier.partition(" ")
    now = _touched(path)
    return now == touched or _hash(str(path), now) == headers


def _touched(path: Path) -> str:
    files = checkpoint_files(path)
    base = path if path.is_dir() else path.parent
    return _short(repr(sorted((each.relative_to(base).as_posix(), *facts) for each, facts in files.items())))


@lru_cache(maxsize=64)
def _hash(path: str, _touched: str) -> str | None:
    from porting.errors import PortingError
    from porting.weights.headers import read_headers

    try:
        tensors = read_headers(path).tensors
    except (PortingError, OSError):
        return None
    return _short(repr(sorted((name, each.dtype, tuple(each.shape)) for name, each in tensors.items())))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
