"""What a claim speaks of, by its fingerprint of today: for what a person says now of what a program saw before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.evidence.files import fingerprint
from porting.evidence.headers import headers_of
from porting.evidence.naming import path_of
from porting.evidence.subjects import constant_today, expectation_today, function_today
from porting.evidence.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from porting.portfile import Portfile


def about_today(portfile: Portfile, subjects: Iterable[str]) -> dict[str, str]:
    """Subjects of earlier records with their fingerprints of today; what is gone by now is passed over.

    No model is built.
    """
    found = {subject: _fingerprint(portfile, subject) for subject in subjects}
    return {subject: value for subject, value in sorted(found.items()) if value is not None}


def _fingerprint(portfile: Portfile, subject: str) -> str | None:
    renew = _KINDS.get(subject.partition(" ")[0])
    return None if renew is None else renew(portfile, subject)


def _file(portfile: Portfile, subject: str) -> str | None:
    path = path_of(subject, portfile.folder)
    return None if path is None else fingerprint(path)


def _headers(portfile: Portfile, subject: str) -> str | None:
    path = path_of(_name(subject), portfile.folder)
    return None if path is None else headers_of(path)


def _name(subject: str) -> str:
    return subject.partition(" ")[2]


_KINDS: dict[str, Callable[[Portfile, str], str | None]] = {
    "file": _file,
    "package": _file,
    "headers": _headers,
    "function": lambda portfile, subject: function_today(portfile, _name(subject)),
    "constant": lambda portfile, subject: constant_today(portfile, _name(subject)),
    "expected": lambda portfile, subject: expectation_today(portfile, _name(subject)),
    "version": lambda _, subject: version_of(_name(subject)),
}
