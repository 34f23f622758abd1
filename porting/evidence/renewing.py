"""What a claim speaks of, by its fingerprint of today: for what a person says now of what a program saw before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.evidence.files import fingerprint
from porting.evidence.headers import headers_of
from porting.evidence.moments import moment_today
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from porting.portfile import Portfile


def about_today(portfile: Portfile, subjects: Iterable[str]) -> dict[str, str]:
    """Subjects of earlier records with their fingerprints of today; what cannot be found any more is passed over.

    No model is built.
    """
    found = {subject: fingerprint_today(portfile, subject) for subject in subjects}
    return {subject: value for subject, value in sorted(found.items()) if value is not None}


def fingerprint_today(portfile: Portfile, subject: str) -> str | None:
    """The fingerprint of one subject, `ABSENT` for some that are not there; None for what cannot be found."""
    kind, _, name = subject.partition(" ")
    renew = KINDS.get(kind)
    try:
        return None if renew is None else renew(portfile, name)
    except (OSError, ValueError):  # a name that no disk can have, or a folder that may not be looked into
        return None


def _headers(portfile: Portfile, subject: str) -> str | None:
    path = path_of(subject, portfile.folder)
    return None if path is None else headers_of(path)


def _file(kind: str) -> Callable[[Portfile, str], str | None]:
    def renew(portfile: Portfile, name: str) -> str | None:
        path = path_of(f"{kind} {name}", portfile.folder)
        return None if path is None else fingerprint(path) or ABSENT

    return renew


KINDS: dict[str, Callable[[Portfile, str], str | None]] = {
    "file": _file("file"),
    "package": _file("package"),
    "folder": lambda portfile, name: folder_today(place_of(name, portfile.folder)),
    "evidence": evidence_today,
    "function": function_today,
    "constant": constant_today,
    "expected": expectation_today,
    "version": lambda _, name: version_of(name) or ABSENT,
    "headers": _headers,
    "until": lambda _, name: moment_today(name),
}
"""The fingerprint of today for each kind of subject, by the rest of its words."""
