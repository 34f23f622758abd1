"""What has changed since a claim was checked."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from porting.evidence.files import is_same
from porting.evidence.headers import has_headers
from porting.evidence.naming import path_of, place_of
from porting.evidence.subjects import (
    ABSENT,
    constant_today,
    evidence_today,
    expectation_today,
    folder_today,
    function_today,
)
from porting.evidence.versions import version_of
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from porting.evidence.records import Record
    from porting.portfile import Portfile

MOST_TOLD = 100
STEP = re.compile(r"[1-9][0-9]?")


def changes(record: Record, portfile: Portfile) -> tuple[str, ...]:
    """What a record speaks of and what is another thing by now, in words, the first of many; empty while it is fresh.

    No model is built, and a file that was not touched is not read.
    """
    return tuple(islice(_changes(record, portfile), MOST_TOLD))


def _changes(record: Record, portfile: Portfile) -> Iterator[str]:
    for subject, earlier in record.about.items():
        if words := _told(portfile, subject, earlier):
            yield words


def _told(portfile: Portfile, subject: str, earlier: str) -> str:
    told = _KINDS.get(subject.partition(" ")[0])
    try:
        return f"{show(subject)} is nothing that is known here" if told is None else told(portfile, subject, earlier)
    except (OSError, ValueError):  # a name that no disk can have, or a folder that may not be looked into
        return f"{show(subject)} cannot be found"


def _file(portfile: Portfile, subject: str, earlier: str) -> str:
    name = show(subject.partition(" ")[2])
    path = path_of(subject, portfile.folder)
    if earlier == ABSENT:
        return f"{name} was added" if path is not None and path.exists() else ""
    if path is None or not path.is_file():
        return f"{name} is gone"
    return "" if is_same(path, earlier) else f"{name} changed"


def _headers(portfile: Portfile, subject: str, earlier: str) -> str:
    named = subject.partition(" ")[2]
    path, name = path_of(named, portfile.folder), show(named.partition(" ")[2])
    if path is None or not path.exists():
        return f"{name} is gone"
    return "" if has_headers(path, earlier) else f"{name} holds other names, shapes or dtypes"


def _folder(portfile: Portfile, subject: str, earlier: str) -> str:
    named = subject.partition(" ")[2]
    same = folder_today(place_of(named, portfile.folder)) == earlier
    return "" if same else f"the files of {show(named.partition(' ')[2])} are others"


def _evidence(portfile: Portfile, subject: str, earlier: str) -> str:
    step = subject.partition(" ")[2]
    same = STEP.fullmatch(step) is not None and evidence_today(portfile, step) == earlier
    return "" if same else f"claims of other steps than {show(step)} ended otherwise"


def _function(portfile: Portfile, subject: str, earlier: str) -> str:
    name = subject.partition(" ")[2]
    now = function_today(portfile, name)
    if now == earlier:
        return ""
    what = "was added to" if earlier == ABSENT else "was removed from" if now == ABSENT else "changed in"
    return f"{show(name)}() {what} {show(portfile.path.name)}"


def _constant(portfile: Portfile, subject: str, earlier: str) -> str:
    name = subject.partition(" ")[2]
    now = constant_today(portfile, name)
    return "" if now == earlier else f"{show(name)} was {show(earlier)}, and is {show(now)}"


def _expected(portfile: Portfile, subject: str, earlier: str) -> str:
    name = subject.partition(" ")[2]
    now = expectation_today(portfile, name)
    return "" if now == earlier else f"{show(name)} in EXPECTED_FAILURES was {show(earlier)}, and is {show(now)}"


def _version(_: Portfile, subject: str, earlier: str) -> str:
    name = subject.partition(" ")[2]
    now = version_of(name) or ABSENT
    return "" if now == earlier else f"{show(name)} {show(earlier)}, then {show(now)}"


_KINDS: dict[str, Callable[[Portfile, str, str], str]] = {
    "file": _file,
    "package": _file,
    "folder": _folder,
    "evidence": _evidence,
    "function": _function,
    "constant": _constant,
    "expected": _expected,
    "version": _version,
    "headers": _headers,
}
