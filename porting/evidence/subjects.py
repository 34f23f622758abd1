"""What a claim speaks of, with the fingerprint of each subject.

The kind of a subject is its first word: ``function ported`` (of the portfile), ``constant TOLERANCE``, ``expected
check_x`` (its entry in ``EXPECTED_FAILURES``), ``version torch``, ``file`` or ``package`` (`porting.evidence.naming`),
``headers`` before one of these (what a checkpoint holds, whatever its values are), ``folder`` before one (which files
are there: ``folder file converted``, ``folder file *.ipynb``); ``evidence 14`` is how the claims of other steps than
14 ended, and ``until 2026-01-31 12:00 UTC`` whether that is over (`porting.evidence.moments`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting.evidence.files import fingerprint
from porting.evidence.functions import source_of
from porting.evidence.headers import headers_of
from porting.evidence.moments import moment_today
from porting.evidence.naming import subject_of
from porting.evidence.reading import facts_of
from porting.evidence.store import newest_records
from porting.evidence.versions import version_of
from porting.plainfiles import files_below

if TYPE_CHECKING:
    from porting.portfile import Portfile

ABSENT = "absent"
UNREADABLE = "changed while it was checked"
LONGEST = 300
MOST_FILES = 20_000
"""Of a folder as a subject; whatever else is in it is not spoken of."""
SETTINGS = (".json", ".yaml", ".yml", ".toml")
NO_SETTINGS = ("index", "token", "vocab", "merges")
RUNS_WITH = {"ported": ("torch", "transformers"), "ported_tokenizer": ("transformers",)}
RUNS_WITH |= {"ported_processor": ("transformers",), "original": ()}


def about(portfile: Portfile, asked: Iterable[str]) -> dict[str, str]:
    """What a claim speaks of that asked for these topics (`porting.evidence.asking`)."""
    found: dict[str, str] = {}
    for topic in sorted(asked):
        kind, _, name = topic.partition(" ")
        found |= _OF_KIND[kind](portfile, name)
    return dict(sorted(found.items()))


def folder_today(place: Path | None) -> str:
    """The fingerprint of which files are in a folder and below, or of those in it that a pattern names.

    Args:
        place: the folder, or a pattern after it: ``converted/*.json``; `ABSENT` without the folder.
    """
    if place is None:
        return ABSENT
    if "*" in place.name and not place.is_dir():
        return _of_names(place.parent, _matching(place.parent, place.name))
    return _of_names(place, files_below(place, MOST_FILES)) if place.is_dir() else ABSENT


def evidence_today(portfile: Portfile, step: str) -> str:
    """The fingerprint of how the claims of all other steps ended last."""
    records = newest_records(portfile)
    ends = sorted(f"{claim} {each.result}" for claim, each in records.items() if str(each.step) != step)
    return hashlib.sha256("\n".join(ends).encode(errors="surrogatepass")).hexdigest()


def about_files(portfile: Portfile, paths: Iterable[Path]) -> dict[str, str]:
    """Files as subjects; those that are not there are passed over."""
    return _named(portfile, {path: fingerprint(path) for path in paths})


def function_today(portfile: Portfile, name: str) -> str:
    """The fingerprint of a function of the portfile; `ABSENT` without it, and empty where there is no file."""
    if name not in portfile.functions:
        return ABSENT
    return source_of(portfile.source).fingerprint(name) if portfile.source else ""


def constant_today(portfile: Portfile, name: str) -> str:
    """A constant of the portfile as text; `ABSENT` without it."""
    return _text(portfile.constants.get(name, ABSENT))


def expectation_today(portfile: Portfile, name: str) -> str:
    """The reason why a check is expected to fail; `ABSENT` if it is not."""
    expected = portfile.constants.get("EXPECTED_FAILURES", {})
    return _text(expected.get(name, ABSENT))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= LONGEST else hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _matching(folder: Path, pattern: str) -> list[Path]:
    """The files in a folder, and not below, that a pattern names."""
    try:
        with os.scandir(folder) as entries:
            return [Path(each.path) for each in islice(entries, MOST_FILES) if fnmatchcase(each.name, pattern)]
    except OSError:
        return []


def _of_names(folder: Path, paths: Iterable[Path]) -> str:
    names = sorted(path.relative_to(folder).as_posix() for path in paths if not path.is_dir())
    return hashlib.sha256("\n".join(names).encode(errors="surrogatepass")).hexdigest()


def _function(portfile: Portfile, name: str) -> dict[str, str]:
    needed, imported = portfile.used.needed.get(name, {}), portfile.used.imported.get(name, ())
    return {f"function {name}": function_today(portfile, name), **_versions(imported), **_named(portfile, needed)}


def _constant(portfile: Portfile, name: str) -> dict[str, str]:
    return {} if name == "EXPECTED_FAILURES" else {f"constant {name}": constant_today(portfile, name)}


def _expected(portfile: Portfile, name: str) -> dict[str, str]:
    return {f"expected {name}": expectation_today(portfile, name)}


def _files(portfile: Portfile, name: str) -> dict[str, str]:
    read = portfile.used.files.get(name, {})
    there = {path: facts for path, facts in read.items() if facts_of(path) is not None}
    found = {path: fingerprint(path) if facts_of(path) == facts else UNREADABLE for path, facts in there.items()}
    absent = {path: ABSENT for path in portfile.used.absent.get(name, ()) if not path.exists()}
    return _named(portfile, found | absent)


def _settings(portfile: Portfile, name: str) -> dict[str, str]:
    read = portfile.used.files.get(name, {})
    kept = (path for path in read if path.suffix in SETTINGS and not any(word in path.name for word in NO_SETTINGS))
    return about_files(portfile, kept)


def _code(portfile: Portfile, name: str) -> dict[str, str]:
    if name not in portfile.used.code:
        return {}
    packages = {*RUNS_WITH.get(name, ()), *portfile.used.packages[name]}
    return {**_versions(packages), **_named(portfile, portfile.used.code[name])}


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Packages that say a version."""
    found = {f"version {each}": version_of(each) for each in packages}
    return {subject: value for subject, value in found.items() if value is not None}


def _headers(portfile: Portfile, _: str) -> dict[str, str]:
    path = portfile.used.checkpoint
    if path is None:
        return {}
    found = headers_of(path)
    return _files(portfile, "checkpoint") if found is None else {f"headers {subject_of(path, portfile.folder)}": found}


def _trace(portfile: Portfile, _: str) -> dict[str, str]:
    from porting.trace.folders import MANIFEST

    return {} if portfile.original_trace is None else about_files(portfile, [portfile.original_trace / MANIFEST])


def _path(portfile: Portfile, name: str) -> dict[str, str]:
    path = Path(name)
    return {subject_of(path, portfile.folder): fingerprint(path) or ABSENT}


def _version(_: Portfile, name: str) -> dict[str, str]:
    return {f"version {name}": version_of(name) or ABSENT}


def _folder(portfile: Portfile, name: str) -> dict[str, str]:
    return {f"folder {subject_of(Path(name), portfile.folder)}": folder_today(Path(name))}


def _until(_: Portfile, name: str) -> dict[str, str]:
    return {f"until {name}": moment_today(name)}


def _evidence(portfile: Portfile, step: str) -> dict[str, str]:
    return {f"evidence {step}": evidence_today(portfile, step)}


def _named(portfile: Portfile, fingerprints: Mapping[Path, str | None]) -> dict[str, str]:
    return {
        subject_of(path, portfile.folder): value
        for path, value in fingerprints.items()
        if value is not None and path != portfile.path
    }


_OF_KIND = {
    "function": _function,
    "constant": _constant,
    "expected": _expected,
    "files": _files,
    "settings": _settings,
    "code": _code,
    "headers": _headers,
    "trace": _trace,
    "path": _path,
    "version": _version,
    "folder": _folder,
    "evidence": _evidence,
    "until": _until,
}
"""What each kind of topic becomes."""
