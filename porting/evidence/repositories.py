"""What git says of the repository that a folder lies in; it asks nobody, and is left alone when it hangs."""

from __future__ import annotations

import os
import subprocess
import time
from functools import lru_cache
from pathlib import Path

from porting.environment.repository import quiet_git
from porting.evidence.records import FILE

SECONDS = 10
"""Until a git that does not answer is left alone."""
ANSWER_HOLDS = 5
"""Seconds for which git is not asked again: many records are made one after the other."""


def root_of(folder: Path) -> Path | None:
    """The root of the repository that a folder lies in; None if it lies in none."""
    return next((root for root in (folder, *folder.parents) if (root / ".git").exists()), None)


def state_of(root: Path | None) -> tuple[str | None, bool | None]:
    """Commit of a repository, and whether anything but evidence is not committed; None where git does not say it."""
    lines = None if root is None else _status(root)
    if lines is None:
        return None, None
    commit = _said(lines, "branch.oid")
    return (None if commit.startswith("(") else commit), any(not line.startswith("#") for line in lines)


def _said(lines: tuple[str, ...], name: str) -> str:
    return next((line.removeprefix(f"# {name} ") for line in lines if line.startswith(f"# {name} ")), "")


def _status(root: Path) -> tuple[str, ...] | None:
    return _asked(root, int(time.monotonic() / ANSWER_HOLDS))


@lru_cache(maxsize=8)
def _asked(root: Path, _period: int) -> tuple[str, ...] | None:
    command = ["git", "status", "--porcelain=v2", "--branch", "--", ".", f":(exclude,glob)**/{FILE}"]
    wanted = {**os.environ, **quiet_git()}
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={name: value for name, value in wanted.items() if value is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return tuple(done.stdout.splitlines())
