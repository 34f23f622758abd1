"""The file that keeps the records: read strictly, written whole, by one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting import strictjson
from porting.atomic import write_text
from porting.errors import PortingError
from porting.evidence.circumstances import Circumstances
from porting.evidence.records import FILE, SILENT, EvidenceError, Outcome, Record, finite, first_lines
from porting.plainfiles import read_plain
from porting.text import show

if TYPE_CHECKING:
    from porting.portfile import Portfile

KEPT = 10
"""Records of one claim and portfile; the oldest goes when another comes, so that the file stays small."""
LARGEST = 64 << 20
"""Bytes of a file that is read."""
MOST_VALUES = 2_000_000
PATIENCE = 20.0
"""Seconds to wait for another process that writes evidence in the same folder."""


def record(
    portfile: Portfile, outcomes: Sequence[Outcome], command: str, circumstances: Circumstances | None = None
) -> str | None:
    """Add outcomes to the evidence; a check never fails because its evidence cannot be kept.

    Args:
        portfile: that was used.
        outcomes: of the claims that were checked.
        command: that checked them.
        circumstances: under which; those of this process by default.

    Returns:
        A warning if they could not be added, else None.
    """
    try:
        keep(portfile, outcomes, command, circumstances)
    except PortingError as error:
        return f"Warning: no evidence was recorded: {error.message}"
    return None


def keep(
    portfile: Portfile, outcomes: Sequence[Outcome], command: str, circumstances: Circumstances | None = None
) -> None:
    """Add outcomes to the evidence, as `record` does.

    Raises:
        EvidenceError: the evidence file is damaged, or another process keeps it for too long.
        OutputError: the disk refuses; the evidence is what it was.
    """
    if not outcomes:
        return
    now = circumstances or Circumstances.of(portfile)
    facts = {"portfile": portfile.path.name, "sha256": portfile.sha256, "command": command, **asdict(now)}
    new = [_entry(outcome, facts) for outcome in outcomes]
    path = portfile.folder / FILE
    with _alone(portfile.folder):
        kept = [asdict(item) for item in _read(path)]
        _write(path, _recent([*kept, *new]))


def newest_records(portfile: Portfile) -> dict[str, Record]:
    """The newest record of every claim that was checked with this portfile, by the claim's name.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    return {claim: records[-1] for claim, records in records_by_claim(portfile).items()}


def records_by_claim(portfile: Portfile) -> dict[str, tuple[Record, ...]]:
    """All records that are kept of every claim that was checked with this portfile, the oldest first.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    found: dict[str, list[Record]] = {}
    for item in _read(portfile.folder / FILE):
        if item.portfile == portfile.path.name:
            found.setdefault(item.claim, []).append(item)
    return {claim: tuple(records) for claim, records in found.items()}


def forget_ticks(portfile: Portfile, claims: Collection[str]) -> None:
    """Take what people said of some claims out of the evidence of a portfile.

    Raises:
        EvidenceError: the evidence file is damaged, or another process keeps it for too long.
        OutputError: the disk refuses.
    """
    path, name = portfile.folder / FILE, portfile.path.name
    with _alone(portfile.folder):
        _write(
            path,
            [asdict(each) for each in _read(path) if not (each.by and each.claim in claims and each.portfile == name)],
        )


def _entry(outcome: Outcome, facts: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome as JSON has it, in the order of a record's fields; what cannot be read again is refused here."""
    entry = {**asdict(outcome), **facts}
    entry |= {"message": first_lines(outcome.message), "figures": finite(outcome.figures)}
    return asdict(Record.read(entry))


def _read(path: Path) -> list[Record]:
    """The records in the order in which they were made; none if there is no file."""
    try:
        document = strictjson.loads(read_plain(path, LARGEST), most=MOST_VALUES)
        if not isinstance(document, dict) or document.get("schema") != 2:
            raise ValueError("it does not say schema 2")
        return [Record.read(entry) for entry in document["records"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvidenceError(
            f"{show(path)} is damaged: {show(error)}",
            hint=f"delete it and run the checks again: rm {FILE} && porting check",
        ) from None


def _write(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    document = {"schema": 2, "records": records}
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _recent(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The newest records of every claim and portfile, in their order.

    Runs do not push out what a person said, nor those that say nothing what others showed.
    """
    kinds = [(entry["portfile"], entry["claim"], bool(entry["by"]), entry["result"] in SILENT) for entry in records]
    count = Counter(kinds)
    recent = []
    for entry, kind in zip(records, kinds, strict=True):
        if count[kind] <= KEPT:
            recent.append(entry)
        count[kind] -= 1
    return recent


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing evidence in a folder; the lock is on the folder, and leaves nothing there.

    Raises:
        EvidenceError: another process keeps it for too long.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # where there are no locks, or no folder: then writing says so
        yield
        return
    try:
        until = time.monotonic() + PATIENCE
        while not _locked(fcntl, descriptor):
            if time.monotonic() > until:
                raise EvidenceError(
                    f"another process is writing evidence in {show(folder)}",
                    hint="wait until that has ended, then run this again",
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _locked(fcntl: Any, descriptor: int) -> bool:
    """Whether the lock was got; a file system without locks gives it to everybody."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
