"""What has changed since a claim was checked."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from porting.evidence.files import is_same
from porting.evidence.headers import has_headers
from porting.evidence.naming import path_of
from porting.evidence.renewing import KINDS, fingerprint_today
from porting.evidence.subjects import ABSENT
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from porting.evidence.records import Record
    from porting.portfile import Portfile

MOST_TOLD = 100


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
    kind, _, name = subject.partition(" ")
    if kind not in KINDS:
        return f"{show(subject)} is nothing that is known here"
    if kind in _READ:
        try:
            return _READ[kind](portfile, subject, earlier)
        except (OSError, ValueError):  # a name that no disk can have, or a folder that may not be looked into
            return f"{show(subject)} cannot be found"
    now = fingerprint_today(portfile, subject)
    if now is None:
        return f"{show(subject)} cannot be found"
    return "" if now == earlier else _WORDS[kind](portfile, name, earlier, now)


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


def _folder(_: Portfile, name: str, _earlier: str, _now: str) -> str:
    return f"the files of {show(name.partition(' ')[2])} are others"


def _evidence(_: Portfile, name: str, _earlier: str, _now: str) -> str:
    return f"claims of other steps than {show(name)} ended otherwise"


def _function(portfile: Portfile, name: str, earlier: str, now: str) -> str:
    what = "was added to" if earlier == ABSENT else "was removed from" if now == ABSENT else "changed in"
    return f"{show(name)}() {what} {show(portfile.path.name)}"


def _constant(_: Portfile, name: str, earlier: str, now: str) -> str:
    return f"{show(name)} was {show(earlier)}, and is {show(now)}"


def _expected(portfile: Portfile, name: str, earlier: str, now: str) -> str:
    return _constant(portfile, f"{name} in EXPECTED_FAILURES", earlier, now)


def _until(_: Portfile, name: str, _earlier: str, _now: str) -> str:
    return f"{show(name)} is over"


def _version(_: Portfile, name: str, earlier: str, now: str) -> str:
    return f"{show(name)} {show(earlier)}, then {show(now)}"


_READ: dict[str, Callable[[Portfile, str, str], str]] = {"file": _file, "package": _file, "headers": _headers}
"""What is read again only where it was touched, so that no fingerprint is made of what was not."""
_WORDS: dict[str, Callable[[Portfile, str, str, str], str]] = {
    "folder": _folder,
    "evidence": _evidence,
    "function": _function,
    "constant": _constant,
    "expected": _expected,
    "version": _version,
    "until": _until,
}
"""What is said of the others, by name, where the fingerprints of then and now differ."""
