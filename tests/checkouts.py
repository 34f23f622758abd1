"""Small checkouts of Transformers: a package, git with its branch and remotes, and checkers of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

UPSTREAM = "https://github.com/huggingface/transformers.git"
FORK = "git@github.com:someone/transformers.git"
WHO = {
    **{
        f"GIT_{who}_{what}": f"a{'@b' * (what == 'EMAIL')}"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(root: Path, *arguments: str) -> str:
    """What git says in a folder."""
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, env={**os.environ, **WHO}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(root: Path, files: dict[str, str]) -> None:
    """Write files under a folder, by their paths."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def checkout_at(root: Path, files: dict[str, str] | None = None, *, branch: str = "add-first") -> Path:
    """A checkout with one commit on ``main``, fetched from Transformers, and a branch of its own at that commit."""
    write(root, {"src/transformers/__init__.py": "", "README.md": "one\n", **(files or {})})
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "the library")
    git(root, "remote", "add", "upstream", UPSTREAM)
    git(root, "remote", "add", "origin", FORK)
    git(root, "update-ref", "--create-reflog", "refs/remotes/upstream/main", "HEAD")
    if branch != "main":
        git(root, "switch", "--quiet", "--create", branch)
    return root


def commit(root: Path, message: str = "a change", files: dict[str, str] | None = None) -> None:
    """Commit everything."""
    write(root, files or {})
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)


def imported_from(monkeypatch: pytest.MonkeyPatch, root: Path | None) -> None:
    """Let ``import transformers`` take its code from a checkout, or from an installed package."""
    from porting.checkout import Checkout

    monkeypatch.setattr("porting.checkout.installed_checkout", lambda: None if root is None else Checkout(root))
