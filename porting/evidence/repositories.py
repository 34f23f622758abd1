"""What git says of the repository that a folder lies in; it asks nobody, and is left alone when it hangs."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

from porting.environment.repository import Repository, RepositoryError
from porting.evidence.records import FILE

SECONDS = 10.0
"""Until a git that does not answer is left alone."""
ANSWER_HOLDS = 5
"""Seconds for which git is not asked again: many records are made one after the other."""


def root_of(folder: Path) -> Path | None:
    """The root of the repository that a folder lies in; None if it lies in none."""
    return next((root for root in (folder, *folder.parents) if (root / ".git").exists()), None)


def state_of(root: Path | None) -> tuple[str | None, bool | None]:
    """Commit of a repository, and whether anything but evidence is not committed; None where git does not say it."""
    return (None, None) if root is None else _asked(root, int(time.monotonic() / ANSWER_HOLDS))


@lru_cache(maxsize=8)
def _asked(root: Path, _period: int) -> tuple[str | None, bool | None]:
    try:
        return Repository(root, SECONDS).state(but=FILE)
    except RepositoryError:
        return None, None
