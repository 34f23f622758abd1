"""What is not whole yet: a hidden file or folder beside the wanted one, and what killed processes left of it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def partial_of(path: Path) -> Path:
    """Where this process makes what is to take the place of ``path``."""
    return path.with_name(f"{_beginning(path)}{os.getpid()}")


def clear_away(path: Path) -> None:
    """Remove what processes that do not run any more left, as far as the disk lets it; they were to make ``path``."""
    beginning = _beginning(path)
    with suppress(OSError):
        for left in path.parent.iterdir():
            number = left.name.removeprefix(beginning)
            if left.name.startswith(beginning) and number.isdecimal() and not runs(int(number)):
                _remove(left)


def runs(process: int) -> bool:
    """Whether another process with this number runs; one of ours that had it before is gone."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _beginning(path: Path) -> str:
    return f".{path.name}.partial-"


def _remove(left: Path) -> None:
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)
