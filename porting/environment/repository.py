"""What git knows of a checkout. Nothing is asked of the network, and no program is run that the repository names."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from porting.children import ChildError, Ended, run_child
from porting.environment.remotes import UPSTREAM
from porting.errors import PortingError

SECONDS = 60.0
SAFE = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "log.showSignature": "false",
    "submodule.recurse": "false",
}
"""Settings of git that would run a program, and the values with which none runs."""
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE")
"""Variables that would make git look at another repository than the one in which it is started."""
FETCHED = ("FETCH_HEAD", "logs/refs/remotes/{}/main", "refs/remotes/{}/main", "packed-refs")
"""Files that are written when a remote's main branch is fetched; the last two also when git packs what it has."""
OF_THE_USER = ("system", "global", "command")
"""Where settings of git stand that no repository brings."""
NONE_SUCH = 1
"""What ``git config`` exits with where nothing has such a name."""
CONFLICT = 1
"""What ``git merge-tree`` exits with where two branches change the same lines."""


class RepositoryError(PortingError):
    """Git is missing, or cannot say what it was asked for."""

    code = "repository"


def quiet_git(settings: Mapping[str, str] = SAFE) -> dict[str, str | None]:
    """Variables under which git asks nobody, writes no lock, and runs no program that a repository configures.

    Args:
        settings: that hold whatever the repository says.
    """
    listed = {
        name: text
        for number, (key, value) in enumerate(settings.items())
        for name, text in ((f"GIT_CONFIG_KEY_{number}", key), (f"GIT_CONFIG_VALUE_{number}", value))
    }
    asked = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    return {**dict.fromkeys(ELSEWHERE), **asked, "GIT_CONFIG_COUNT": str(len(settings)), **listed}


@dataclass(frozen=True)
class Repository:
    """The git repository whose work tree a folder is.

    Attributes:
        root: the folder.
        patience: seconds that git has for an answer.
    """

    root: Path
    patience: float = SECONDS

    @classmethod
    def at(cls, root: Path) -> Repository:
        """The one at a folder.

        Raises:
            RepositoryError: it is none, or git will not read it.
        """
        repository = cls(root)
        top = repository.said("rev-parse", "--show-toplevel")
        if Path(top).resolve() != root.resolve():
            raise RepositoryError("it is part of a repository, and not the work tree of one")
        return repository

    @property
    def branch(self) -> str | None:
        """The branch that is checked out; None if none is."""
        ended = self._run("symbolic-ref", "--quiet", "--short", "HEAD")
        return ended.output.strip() if ended.code == 0 else None

    @property
    def remotes(self) -> Mapping[str, str]:
        """The URL of each remote from which it fetches, by name."""
        lines = (line.removesuffix(" (fetch)").partition("\t") for line in self._lines("remote", "--verbose"))
        return {name: url for name, _, url in lines if not url.endswith(" (push)")}

    def has(self, reference: str) -> bool:
        """Whether there is a commit of a name."""
        return self._run("rev-parse", "--quiet", "--verify", f"{reference}^{{commit}}").code == 0

    def missing(self, reference: str) -> int:
        """How many commits of another branch HEAD lacks.

        Raises:
            RepositoryError: git cannot say.
        """
        return int(self.said("rev-list", "--count", f"HEAD..{reference}"))

    def is_related(self, reference: str) -> bool:
        """Whether HEAD and another branch have a commit in common."""
        return self._run("merge-base", "HEAD", reference).code == 0

    @property
    def is_shallow(self) -> bool:
        """Whether it lacks the older commits, so that git cannot tell what two branches have in common."""
        return self.said("rev-parse", "--is-shallow-repository") == "true"

    def conflicts(self, reference: str) -> tuple[str, ...] | None:
        """The files in which HEAD and another branch conflict; None where this git cannot say, or would run a driver.

        What git writes for that goes to a folder that is removed.
        """
        if self._configured("merge", "driver"):
            return None
        objects = self.own_file("objects")
        with tempfile.TemporaryDirectory(prefix="porting-") as scratch:
            apart = {"GIT_OBJECT_DIRECTORY": scratch, "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}
            command = ("merge-tree", "--write-tree", "--name-only", "-z", "--no-messages", "HEAD", reference)
            ended = self._run(*command, more=apart)
        found = tuple(dict.fromkeys(name for name in ended.output.split("\0")[1:] if name))
        return found if ended.code == (CONFLICT if found else 0) else None

    def days_since_fetch(self, remote: str) -> float | None:
        """How long ago a remote's main branch was fetched; None if nothing says so.

        Args:
            remote: by name, Transformers itself.
        """
        fetched, moved, *first = (self.own_file(mark.format(remote)) for mark in FETCHED)
        named = fetched.is_file() and UPSTREAM in fetched.read_text(encoding="utf-8", errors="replace").lower()
        known = [path for path in ([fetched] if named else []) + [moved] if path.is_file()]
        times = [path.stat().st_mtime for path in known or first if path.is_file()]
        return max(0.0, time.time() - max(times)) / 86400 if times else None

    def brought(self, reference: str) -> tuple[Path, ...]:
        """The files that HEAD has otherwise than the last commit that it has in common with another branch.

        Raises:
            RepositoryError: git cannot say.
        """
        command = (
            "diff",
            "--name-only",
            "-z",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            f"{reference}...HEAD",
        )
        return tuple(self.root / name for name in self.said(*command).split("\0") if name)

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        """State (two letters, as of ``git status``) and path of each file that is not as it was committed.

        Raises:
            RepositoryError: git cannot say.
        """
        command = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules", "--no-renames")
        entries = self.said(*command).split("\0")
        return tuple((entry[:2], entry[3:]) for entry in entries if len(entry) > 3)

    def said(self, *arguments: str) -> str:
        """What git says to a command.

        Raises:
            RepositoryError: it fails, or says more than is read.
        """
        ended = self._run(*arguments)
        if ended.code != 0 or not ended.whole:
            raise RepositoryError(f"git {arguments[0]}: {ended.last_line if ended.code else 'it says too much'}")
        return ended.output.removesuffix("\n")

    def own_file(self, name: str) -> Path:
        """A file that git itself keeps, such as ``HEAD`` or ``config``; it may not be there.

        Raises:
            RepositoryError: git cannot say.
        """
        return self.root / self.said("rev-parse", "--git-path", name)

    def _lines(self, *arguments: str) -> list[str]:
        return self.said(*arguments).splitlines()

    def _run(self, *arguments: str, more: Mapping[str, str | None] | None = None) -> Ended:
        return self._git(arguments, {**quiet_git({**SAFE, **self._filters}), **(more or {})})

    @cached_property
    def _filters(self) -> Mapping[str, str]:
        """The filters that the repository configures, each as one that does nothing; the user's own do their work."""
        return {key: "false" if key.endswith(".required") else "" for key in self._configured("filter", "[a-z]+")}

    def _configured(self, section: str, name: str) -> list[str]:
        """The settings of a kind of driver that the repository itself has, by their whole names.

        Raises:
            RepositoryError: git cannot say, so that one of them may be run.
        """
        pattern = rf"^{section}\..*\.{name}$"
        ended = self._git(("config", "--show-scope", "--name-only", "-z", "--get-regexp", pattern), quiet_git())
        if ended.code not in (0, NONE_SUCH) or not ended.whole:
            raise RepositoryError(f"git config: {ended.last_line if ended.code else 'it says too much'}")
        words = ended.output.split("\0")
        return [key for scope, key in zip(words[::2], words[1::2], strict=False) if scope not in OF_THE_USER]

    def _git(self, arguments: tuple[str, ...], environment: Mapping[str, str | None]) -> Ended:
        command = ["git", "-C", str(self.root), *arguments]
        try:
            return run_child(command, self.root, seconds=self.patience, environment=environment)
        except ChildError as error:
            raise RepositoryError(error.message, hint="install git") from error
