"""Write a trace while one system call fails or the process is killed at it, once for every such call.

python faults.py FOLDER      # prints one JSON object: what was found after every fault

Run as a process of its own: it forks, and a fork of a test runner would fork its threads' locks, too.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tracing import content, returned, small

from porting.errors import PortingError
from porting.trace import open_trace, save_trace

CALLS = ("open", "pwrite", "fsync", "close", "rename", "mkdir", "rmdir", "unlink")
FAULTS = ("full disk", "broken disk", "kill", "kill halfway", "interrupt")
INTERRUPTED = 130

Action = Callable[[int, Callable[[], object]], None]


def counted(name: str, action: Action) -> None:
    """Have ``action`` called before each call of ``os.<name>``: with its number, and what makes half of the call."""
    real: Any = getattr(os, name)
    numbers = iter(range(1 << 20))

    def instead(*arguments: Any, **options: Any) -> Any:
        def half() -> object:
            if name != "pwrite":
                return None
            descriptor, data, offset = arguments
            return real(descriptor, data[: len(data) // 2], offset)

        action(next(numbers), half)
        return real(*arguments, **options)

    setattr(os, name, instead)


def fault(name: str, kind: str, at: int) -> Action:
    """Fail or die at the call with this number; a disk that is full stays full."""

    def act(number: int, half: Callable[[], object]) -> None:
        if kind == "full disk" and (number == at or (number > at and name == "pwrite")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if number != at:
            return
        if kind == "broken disk":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "kill halfway":
            half()
        os.kill(os.getpid(), signal.SIGKILL)

    return act


def in_child(action: Callable[[], int]) -> int:
    """Run ``action`` in a forked process; what it returned, or -9 if it was killed."""
    process = os.fork()
    if process == 0:
        status = 99
        try:
            status = action()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def number_of_calls(name: str, folder: Path) -> int:
    """How often a healthy writing in the place of an earlier trace makes a call."""

    def count() -> int:
        seen: list[int] = []
        save_trace(small(), folder)
        counted(name, lambda number, _: seen.append(number))
        save_trace(small(), folder)
        return len(seen)

    return in_child(count)


def writes(folder: Path) -> int:
    """0: says that it has written; 4: says that it has not; 130: was interrupted."""
    try:
        save_trace(small(), folder)
    except PortingError:
        return 4
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def state(folder: Path, old: dict[str, Any] | None, new: dict[str, Any]) -> str:
    """What a reader finds: ``absent``, ``old``, ``new`` or ``WRONG``; no unfinished folder may load."""
    for left in folder.parent.iterdir():
        if left != folder and opened(left) is not None:
            return "WRONG"
    found = opened(folder)
    if found is None:
        return "WRONG" if folder.exists() else "absent"
    return "new" if found == new else "old" if found == old else "WRONG"


def opened(folder: Path) -> dict[str, Any] | None:
    """The content of a trace, None if it does not load."""
    try:
        return content(open_trace(folder))
    except PortingError:
        return None


def matrix(place: Path) -> Iterator[dict[str, Any]]:
    """Every fault at every call, with and without an earlier trace."""
    for name in CALLS:
        for number in range(number_of_calls(name, place / f"count-{name}" / "trace")):
            for kind in FAULTS:
                for earlier in (False, True):
                    folder = place / f"{name}-{number}-{kind}-{earlier}" / "trace"
                    yield {
                        "call": name,
                        "number": number,
                        "fault": kind,
                        "earlier": earlier,
                        **outcome(folder, name, fault(name, kind, number), earlier),
                    }


def outcome(folder: Path, name: str, act: Action, earlier: bool) -> dict[str, Any]:
    """What one fault leaves, and what writing once more makes of that."""
    new, before = content(small()), returned(it=small().valid_positions())
    folder.parent.mkdir()
    if earlier:
        save_trace(before, folder)

    def broken() -> int:
        counted(name, act)
        return writes(folder)

    def left() -> list[str]:
        return sorted(path.name for path in folder.parent.iterdir() if path != folder)

    old = content(before) if earlier else None
    said = in_child(broken)
    after = {"said": said, "found": state(folder, old, new), "left": left()}
    return {**after, "said again": writes(folder), "found again": state(folder, old, new), "left again": left()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list(matrix(Path(sys.argv[1])))))
