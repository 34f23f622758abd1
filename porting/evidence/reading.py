"""Which files a piece of work reads: those that Python opens, and those that safetensors opens in Rust."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".pth", ".zip", ".egg")
NO_DATA = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/lib/", "/usr/share/")
IN_MEMORY = "/dev/shm/"  # noqa: S108 - nothing is written there
BESIDE = ("__pycache__", ".git", ".no_exist", "refs", ".locks")
METADATA = (".dist-info", ".egg-info")
MOST = 5000


@dataclass
class Reading:
    """What was opened.

    Attributes:
        opened: for reading, with size and time of the last change as they were then.
        written: opened for writing.
    """

    opened: dict[Path, tuple[int, int]] = field(default_factory=dict)
    written: set[Path] = field(default_factory=set)

    def add(self, path: Any, *, writing: bool = False) -> None:
        """Note a file; what cannot be one is passed over."""
        if not isinstance(path, str | bytes | os.PathLike) or len(self.opened) >= MOST:
            return
        full = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - links keep their names
        if writing:
            self.written.add(full)
        elif full not in self.opened and is_data(full) and (facts := facts_of(full)):
            self.opened[full] = facts

    def data(self) -> dict[Path, tuple[int, int]]:
        """The files that were there before, and still are."""
        return {path: facts for path, facts in self.opened.items() if path not in self.written and path.is_file()}


_reading: list[Reading] = []
_hooked: list[bool] = []


@contextlib.contextmanager
def reading(*, everywhere: bool = True) -> Iterator[Reading]:
    """Note which files are read meanwhile.

    Args:
        everywhere: also those that safetensors opens, for which ``safe_open`` is replaced meanwhile.
    """
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hear)  # stays, as Python takes none back
    found = Reading()
    before = _reading[:]
    _reading[:] = [*before, found]
    try:
        with _safe_open_heard() if everywhere else contextlib.nullcontext():
            yield found
    finally:
        _reading[:] = before


def is_data(path: Path) -> bool:
    """Whether a file may be one that results depend on: no code, no metadata of packages, nothing of the system."""
    if is_of_system(str(path)) or path.suffix in CODE or not set(path.parts).isdisjoint(BESIDE):
        return False
    return not path.parent.name.endswith(METADATA)


def is_of_system(path: str) -> bool:
    """Whether a path, without links and dots in it, is one of the system's own; what lies in memory is not."""
    return path.startswith(NO_DATA) and not path.startswith(IN_MEMORY)


def facts_of(path: Path) -> tuple[int, int] | None:
    """Size and time of the last change of a file; None if there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # such as a name that no disk can have
        return None
    return (found.st_size, found.st_mtime_ns) if path.is_file() else None


def _hear(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook: it must not raise, and is called for all that Python does."""
    if event != "open" or not _reading:
        return
    path, mode, flags = args
    how = mode if isinstance(mode, str) else ""
    writes = not set(how).isdisjoint("wax+") or (not how and isinstance(flags, int) and flags & 3 != os.O_RDONLY)
    watching = _reading[:]
    _reading.clear()  # nothing that is done here is of interest
    try:
        for each in watching:
            with contextlib.suppress(OSError, ValueError):
                each.add(path, writing=bool(writes))
    finally:
        _reading[:] = watching


@contextlib.contextmanager
def _safe_open_heard() -> Iterator[None]:
    """Replace ``safe_open`` wherever a module holds it, also in modules that are loaded meanwhile."""
    import safetensors

    real = safetensors.safe_open
    if getattr(real, "porting_hears", False):
        yield
        return

    def safe_open(filename: Any, *args: Any, **kwargs: Any) -> Any:
        for each in _reading:
            each.add(filename)
        return real(filename, *args, **kwargs)

    safe_open.porting_hears = True  # type: ignore[attr-defined]
    _exchange(real, safe_open)
    try:
        yield
    finally:
        _exchange(safe_open, real)


def _exchange(one: Callable[..., Any], other: Callable[..., Any]) -> None:
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and vars(module).get("safe_open") is one:
            vars(module)["safe_open"] = other
