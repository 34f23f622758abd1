"""Other programs, run as child processes with an end to their time and to what they may say."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from porting.errors import PortingError
from porting.offspring import end_marked, new_mark
from porting.text import show

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What colours a terminal."""
MOST = 200_000
"""Bytes that are kept of the beginning and of the end of what a child says."""
PATIENCE = 10.0
"""Seconds in which the output of a child that ended has to end, too."""


class ChildError(PortingError):
    """A program cannot be started."""

    code = "child"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        code: its exit code, negative for a signal; None if its time was up.
        output: what it said on its standard output, the middle left out where it is long.
        errors: the same of its standard error.
        whole: whether nothing of what it said is left out.
    """

    code: int | None
    output: str
    errors: str
    whole: bool = True

    @property
    def said(self) -> str:
        """All that it said, one stream after the other."""
        return f"{self.output}\n{self.errors}"

    @property
    def last_line(self) -> str:
        """The last line that says something, to be shown; what became of the child, if it said nothing."""
        lines = [line for line in ESCAPES.sub("", self.said).splitlines() if line.strip()]
        if lines:
            return show(lines[-1].strip(), 300)
        return "its time was up" if self.code is None else f"it said nothing and ended with {self.code}"


def run_child(
    command: Sequence[str], folder: Path, *, seconds: float, environment: Mapping[str, str | None] | None = None
) -> Ended:
    """Run a program to its end, or to the end of its time; the processes that it started end with it.

    On Linux also those that left its session (`porting.offspring`).

    It reads nothing. What it says is read as it comes, and only the beginning and the end of it are kept.

    Args:
        command: the program and its arguments.
        folder: to run it in.
        seconds: that it has.
        environment: what it has beside this process's own variables, or instead of them; None takes one away.

    Raises:
        ChildError: it cannot be started.
    """
    mark = new_mark()
    with _started(command, folder, {**(environment or {}), mark: "1"}) as child:
        heard = [_Heard(stream) for stream in (child.stdout, child.stderr) if stream is not None]
        try:
            code: int | None = child.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end_session(child, mark)
            for each in heard:
                each.finish()
    output, errors = heard
    return Ended(code, output.text(), errors.text(), whole=output.whole and errors.whole)


def _started(command: Sequence[str], folder: Path, environment: Mapping[str, str | None]) -> subprocess.Popen[bytes]:
    variables = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    try:
        return subprocess.Popen(
            list(command),
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ChildError(f"{show(command[0])} cannot be started: {show(error, 300)}") from error


class _Heard(threading.Thread):
    """Reads a stream and keeps its two ends."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.stream = stream
        self.first = b""
        self.last = b""
        self.whole = True
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while chunk := os.read(self.stream.fileno(), 1 << 16):
                room = MOST - len(self.first)
                self.first += chunk[:room]
                self.whole = self.whole and len(self.last) + len(chunk[room:]) <= MOST
                self.last = (self.last + chunk[room:])[-MOST:]

    def finish(self) -> None:
        """Wait until the stream ends; one that somebody still holds open is left alone."""
        self.join(PATIENCE)
        self.whole = self.whole and not self.is_alive()

    def text(self) -> str:
        return (self.first + self.last).decode("utf-8", "backslashreplace")


def end_session(child: subprocess.Popen[bytes], mark: str) -> None:
    """End a child that leads a session, whatever of that still runs, and what it started with a session of its own.

    Args:
        child: started with ``start_new_session``.
        mark: that its environment has (`porting.offspring.new_mark`).
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    end_marked(mark)
    child.wait()
