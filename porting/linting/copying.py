"""A copy of a checkout, in which its own scripts can do no harm, and in which they see what is the port's."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from porting.checkout import Checkout
from porting.children import ChildError, run_child
from porting.environment.repository import SAFE, RepositoryError, quiet_git

SECONDS = 120.0
MOST_BYTES = 1 << 20
"""Of a file that is copied, whatever it is; a larger one is linked, unless it is a text that a script may write."""
TEXTS = (".py", ".md", ".yml", ".yaml", ".toml", ".cfg", ".json", ".txt")
MOST_OF_TEXT = 1 << 26
SETTINGS = {
    **SAFE,
    "user.name": "porting",
    "user.email": "porting@localhost",
    "commit.gpgSign": "false",
    "core.looseCompression": "0",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
MAIN = ("refs/heads/main", "refs/remotes/origin/main", "refs/remotes/upstream/main")
"""Names by which scripts know what was there before a branch began."""
QUIETLY = ("commit", "--quiet", "--no-verify", "--allow-empty", "--message")


@contextlib.contextmanager
def copied(checkout: Checkout, own: Sequence[Path]) -> Iterator[Checkout]:
    """A copy of a checkout as it is now, removed afterwards.

    It is a repository of its own: its main branch lacks the port, and the branch that is checked out brings it,
    whatever of it is committed in the checkout. So scripts that only look at what a branch brings look at the port.

    Args:
        checkout: to be copied.
        own: files and folders of the port in it; they need not be there.

    Raises:
        RepositoryError: git is missing, or cannot do it.
        OSError: it cannot be copied.
    """
    with tempfile.TemporaryDirectory(prefix="porting-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder).resolve() / "transformers"
        _copy_tree(checkout.root, copy)
        for path in own:
            _bring_in(path, copy / path.relative_to(checkout.root))
        without = [f":(exclude,literal){path.relative_to(checkout.root).as_posix()}" for path in own]
        _git(copy, "init", "--quiet", "--template=", "--initial-branch=port")
        _git(copy, "add", "--all", "--", ".", *without)
        _git(copy, *QUIETLY, "what was there")
        for name in MAIN:
            _git(copy, "update-ref", name, "HEAD")
        _git(copy, "add", "--all")
        _git(copy, *QUIETLY, "the port")
        yield Checkout(copy)


def changed_in(copy: Checkout, *, blank_lines: bool = True) -> str:
    """What was changed in a copy since it was made or kept, as a diff with the lines around each change.

    Args:
        copy: of a checkout.
        blank_lines: whether lines without anything on them count.

    Raises:
        RepositoryError: git cannot say, or that is more than is read.
    """
    ignoring = () if blank_lines else ("--ignore-blank-lines",)
    plainly = ("--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--unified=3")
    return _git(copy.root, "diff", *plainly, *ignoring)


def keep(copy: Checkout) -> None:
    """Let what was changed in a copy stand until it is restored.

    Raises:
        RepositoryError: git cannot do it.
    """
    _git(copy.root, "add", "--all")


def restore(copy: Checkout) -> None:
    """Take back what was changed in a copy since it was made.

    Raises:
        RepositoryError: git cannot do it.
    """
    _git(copy.root, "reset", "--quiet", "--hard")
    _git(copy.root, "clean", "--quiet", "-d", "--force")


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What is no part of a checkout: repositories, caches, environments, sockets and the like."""
    paths = {name: Path(folder, name) for name in names}
    return {
        name
        for name, path in paths.items()
        if name in (".git", "__pycache__")
        or (path / "pyvenv.cfg").is_file()
        or not (path.is_symlink() or path.is_file() or path.is_dir())
    }


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder, its links as they are.

    Raises:
        OSError: of the first file that cannot be copied.
    """
    try:
        shutil.copytree(source, target, symlinks=True, ignore=_left_out, copy_function=_copy)
    except shutil.Error as error:
        raise OSError(error.args[0][0][-1]) from None


def _bring_in(path: Path, target: Path) -> None:
    """What links of the port lead to is copied in their place, so that nobody writes through them."""
    for link in [each for each in (target, *target.rglob("*")) if each.is_symlink()]:
        real = (path / link.relative_to(target)).resolve()
        if real.is_dir() or real.is_file():
            link.unlink()
            if real.is_dir():
                _copy_tree(real, link)
            else:
                _copy(str(real), str(link))


def _copy(source: str, target: str) -> None:
    most = MOST_OF_TEXT if source.endswith(TEXTS) else MOST_BYTES
    if os.stat(source).st_size > most:  # noqa: PTH116
        os.symlink(os.path.abspath(source), target)  # noqa: PTH100, PTH211
    else:
        shutil.copy2(source, target)


def _git(root: Path, *arguments: str) -> str:
    try:
        ended = run_child(("git", *arguments), root, seconds=SECONDS, environment=quiet_git(SETTINGS))
    except ChildError as error:
        raise RepositoryError(error.message, hint="install git") from error
    if ended.code != 0:
        raise RepositoryError(f"git {arguments[0]} in a copy of the checkout: {ended.last_line}")
    if not ended.whole:
        raise RepositoryError(f"git {arguments[0]} in a copy of the checkout says too much")
    return ended.output
