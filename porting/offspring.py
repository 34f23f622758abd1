"""What a child started, wherever it went: found by a mark in the environment, which every process hands down.

A process that leads a session of its own is in no group that could be ended, and one whose parent is gone is nobody's
child any more. Only Linux shows the environment that a process was started with; elsewhere nothing is found.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

NAME = "PORTING_CHILD_"
PROCESSES = Path("/proc")
ROUNDS = 20
"""Of looking for what was started while others were ended."""
PAUSE = 0.01
"""Seconds between two of them."""


def new_mark() -> str:
    """The name of a variable that no other child has; its value is of no meaning."""
    return f"{NAME}{secrets.token_hex(8)}"


def end_marked(mark: str) -> None:
    """End all processes that have a mark, and those that they start meanwhile."""
    for _ in range(ROUNDS):
        found = list(_marked(f"{mark}=".encode()))
        if not found:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(PAUSE)


def _marked(variable: bytes) -> Iterator[int]:
    """The processes of this user that have a variable; this one and those that have ended have none."""
    with contextlib.suppress(OSError):
        for place in PROCESSES.iterdir():
            if place.name.isdecimal() and variable in _environment(place):
                yield int(place.name)


def _environment(place: Path) -> bytes:
    try:
        return (place / "environ").read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""
