"""What git says of the repository that a folder lies in; it asks nobody, and is left alone when it hangs."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

from porting.environment.repository import Repository, RepositoryError
from porting.evidence.records import FILE

EVIDENCE = f":(exclude,glob)**/{FILE}"
SECONDS = 10
"""Until a git that does not answer is left alone."""
ANSWER_HOLDS = 5
"""Seconds for which git is not asked again: many records are made one after the other."""


def root_of(folder: Path) -> Path | None:
    """The root of the repository that a folder lies in; None if it lies in none."""
    return next((root for root in (folder, *folder.parents) if (root / ".git").exists()), None)


def state_of(root: Path | None, beside: Path | None = None) -> tuple[str | None, bool | None]:
    """Commit of a repository, and whether anything but evidence is not committed; None where git does not say it.

    Args:
        root: of the repository.
        beside: a working folder, which does not count where it lies in the repository and git knows nothing of it.
    """
    lines = None if root is None else _status(root)
    if lines is None:
        return None, None
    commit = _said(lines, "branch.oid")
    changes = [line for line in lines if not line.startswith("#") and not _is_apart(line, root, beside)]
    return (None if commit.startswith("(") else commit), bool(changes)


def _is_apart(line: str, root: Path | None, beside: Path | None) -> bool:
    """Whether git says with a line that it knows nothing of a folder, or of one above it."""
    if not (root and beside and line.startswith("? ") and line.endswith("/")):
        return False
    return beside.is_relative_to(root / line.removeprefix("? "))


def _said(lines: tuple[str, ...], name: str) -> str:
    return next((line.removeprefix(f"# {name} ") for line in lines if line.startswith(f"# {name} ")), "")


def _status(root: Path) -> tuple[str, ...] | None:
    return _asked(root, int(time.monotonic() / ANSWER_HOLDS))


@lru_cache(maxsize=8)
def _asked(root: Path, _period: int) -> tuple[str, ...] | None:
    """What ``git status`` says; not what changed in a submodule, whose own settings might run a program."""
    command = ("status", "--porcelain=v2", "--branch", "--ignore-submodules=dirty", "--", ".", EVIDENCE)
    try:
        return tuple(Repository(root, SECONDS).said(*command).splitlines())
    except RepositoryError:
        return None
