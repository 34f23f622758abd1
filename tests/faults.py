"""Write a folder while one system call fails or the process is killed at it, once for every such call.

python faults.py FOLDER SUBJECT      # prints one JSON object: what was found after every fault

SUBJECT is one of `SUBJECTS`.

Run as a process of its own: it forks, and a fork of a test runner would fork its threads' locks, too.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from tracing import content, returned, small

from porting import recorder
from porting.errors import PortingError
from porting.folders import UNFINISHED
from porting.trace import open_trace, save_trace
from porting.weights import Convert, Rename, Transpose
from porting.weights.conversion import convert

CALLS = ("open", "pwrite", "fsync", "close", "rename", "mkdir", "rmdir", "unlink")
CONVERSION_CALLS = ("open", "pread", "preadv", "pwrite", "fsync", "close", "rename", "mkdir")
FAULTS = ("full disk", "broken disk", "interrupted call", "kill", "kill halfway", "interrupt")
ERRORS = {"full disk": errno.ENOSPC, "broken disk": errno.EIO, "interrupted call": errno.EINTR}
INTERRUPTED = 130

Action = Callable[[int, Callable[[], object]], None]


@dataclass(frozen=True)
class Subject:
    """Something that writes a folder.

    Attributes:
        write: write it.
        read: its content, None if it is not there whole.
        earlier: write what it may replace; None if it replaces nothing.
        calls: the calls of ``os`` that it makes.
    """

    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    earlier: Callable[[Path], object] | None = None
    calls: tuple[str, ...] = CALLS


def by_recorder(folder: Path) -> None:
    """Record the small trace's model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    recorder.record(model, (torch.ones(1, 2),), folder, valid_positions=torch.tensor([[True, False]]))


def opened(folder: Path) -> dict[str, Any] | None:
    """The content of a trace, None if it does not load."""
    try:
        return content(open_trace(folder))
    except PortingError:
        return None


def earlier_trace(folder: Path) -> None:
    """Another trace than the writers'."""
    save_trace(returned(it=small().valid_positions()), folder)


def by_convert(folder: Path) -> None:
    """Convert `source.safetensors`, which is made beside the folder's parent, to two files."""
    source = folder.parents[1] / "source.safetensors"
    if not source.exists():
        save_file({f"{name}.weight": torch.arange(6.0).view(2, 3) + ord(name) for name in "ab"}, source)
    port = nn.ModuleDict({"one": nn.Linear(3, 2, bias=False), "two": nn.Linear(2, 3, bias=False)})
    rules = [Rename("a.{part}", "one.{part}"), Convert("b.weight", "two.weight", Transpose())]
    convert(source, port, folder, rules, max_shard_size=30).assert_ok()


def converted(folder: Path) -> dict[str, str] | None:
    """The hashes of a conversion's files, None if its record is not there or one is not as recorded."""
    record = folder / "porting-conversion.json"
    if UNFINISHED.fullmatch(folder.name) or not record.exists():
        return None
    recorded = {name: file["sha256"] for name, file in json.loads(record.read_bytes())["files"].items()}
    whole = {path.name for path in folder.iterdir()} == {*recorded, record.name}
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in recorded}
    return recorded if whole and found == recorded else None


SUBJECTS = {
    "porting": Subject(lambda folder: save_trace(small(), folder), opened, earlier_trace),
    "recorder": Subject(by_recorder, opened, earlier_trace),
    "convert": Subject(by_convert, converted, calls=CONVERSION_CALLS),
}


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
        if number != at and not (kind == "full disk" and name == "pwrite" and number > at):
            return
        if kind in ERRORS:
            raise OSError(ERRORS[kind], os.strerror(ERRORS[kind]))
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


def number_of_calls(name: str, folder: Path, subject: Subject) -> int:
    """How often a healthy writing makes a call, in the place of an earlier one where it may be."""

    def count() -> int:
        seen: list[int] = []
        folder.parent.mkdir()
        if subject.earlier is not None:
            subject.earlier(folder)
        counted(name, lambda number, _: seen.append(number))
        subject.write(folder)
        return len(seen)

    return in_child(count)


def writes(folder: Path, subject: Subject) -> int:
    """0: says that it has written; 4: says that it has not; 130: was interrupted."""
    try:
        subject.write(folder)
    except (PortingError, OSError):
        return 4
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def state(folder: Path, subject: Subject, old: Any, new: Any) -> str:
    """What a reader finds: ``absent``, ``old``, ``new`` or ``WRONG``; no unfinished folder may load."""
    for left in folder.parent.iterdir():
        if left != folder and subject.read(left) is not None:
            return "WRONG"
    found = subject.read(folder)
    if found is None:
        return "WRONG" if folder.exists() else "absent"
    return "new" if found == new else "old" if found == old else "WRONG"


def matrix(place: Path, subject: Subject) -> Iterator[dict[str, Any]]:
    """Every fault at every call, with and without an earlier folder."""
    new = written(place / "new" / "it", subject.write, subject)
    old = None if subject.earlier is None else written(place / "old" / "it", subject.earlier, subject)
    for name in subject.calls:
        for number in range(number_of_calls(name, place / f"count-{name}" / "it", subject)):
            for kind in FAULTS:
                for earlier in (False, *([True] if old is not None else [])):
                    folder = place / f"{name}-{number}-{kind}-{earlier}" / "it"
                    found = outcome(folder, subject, (name, fault(name, kind, number)), old if earlier else None, new)
                    yield {"call": name, "number": number, "fault": kind, "earlier": earlier, **found}


def written(folder: Path, write: Callable[[Path], object], subject: Subject) -> Any:
    """What is read after a healthy writing."""
    folder.parent.mkdir()
    write(folder)
    return subject.read(folder)


def outcome(folder: Path, subject: Subject, broken: tuple[str, Action], old: Any, new: Any) -> dict[str, Any]:
    """What one fault leaves, and what writing once more makes of that."""
    folder.parent.mkdir()
    if old is not None and subject.earlier is not None:
        subject.earlier(folder)

    def write() -> int:
        counted(*broken)
        return writes(folder, subject)

    def found() -> str:
        return state(folder, subject, old, new)

    def left() -> list[str]:
        return sorted(path.name for path in folder.parent.iterdir() if path != folder)

    said = in_child(write)
    after = {"said": said, "found": found(), "left": left()}
    if subject.earlier is None and after["found"] == "new":
        return {**after, "said again": 0, "found again": "new", "left again": left()}
    return {**after, "said again": writes(folder, subject), "found again": found(), "left again": left()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list(matrix(Path(sys.argv[1]), SUBJECTS[sys.argv[2]]))))
