"""Evidence: the record that a claim was checked and how it ended, in ``porting-evidence.json`` beside the portfile."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from porting import strictjson
from porting.atomic import write_text
from porting.errors import PortingError
from porting.portfile import Portfile
from porting.text import show

FILE = "porting-evidence.json"
RESULTS = ("passed", "failed", "inconclusive")
PACKAGES = ("porting", "torch", "transformers")
KEPT = 10
"""Records of one claim and portfile; the oldest goes when another comes, so that the file stays small."""

Figure = str | int | float | bool | None


class EvidenceError(PortingError):
    """The evidence file is damaged."""

    code = "evidence"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the check of one claim ended.

    Attributes:
        claim: its name, unique in the recipe.
        step: number of the recipe's step that it belongs to.
        result: ``passed``, ``failed`` or ``inconclusive``.
        figures: what was measured, by name; a float that is not finite is kept as None.
    """

    claim: str
    step: int
    result: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Record:
    """An outcome with what it speaks of.

    Attributes:
        claim: its name.
        step: number of its step.
        result: ``passed``, ``failed`` or ``inconclusive``.
        figures: what was measured.
        portfile: file name of the portfile.
        sha256: of the portfile as it was loaded.
        versions: of porting, torch and transformers.
        time: UTC, ISO 8601, to the second.
        command: what was run.
        sources: SHA-256 of each file that the claim speaks of beside the portfile, by path.
    """

    claim: str
    step: int
    result: str
    figures: Mapping[str, Figure]
    portfile: str
    sha256: str
    versions: Mapping[str, str]
    time: str
    command: str
    sources: Mapping[str, str] = field(default_factory=dict)


def record(
    portfile: Portfile, outcomes: Sequence[Outcome], command: str, sources: Mapping[str, str] | None = None
) -> str | None:
    """Add outcomes to the evidence; a check never fails because its evidence cannot be kept.

    Args:
        portfile: that was used.
        outcomes: of the claims that were checked.
        command: that checked them.
        sources: SHA-256 of the files that the claims speak of, by path.

    Returns:
        A warning if they could not be added, else None.
    """
    facts = {
        "portfile": portfile.path.name,
        "sha256": portfile.sha256,
        "versions": {package: _version(package) for package in PACKAGES},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "sources": dict(sources or {}),
    }
    new = [{**asdict(outcome), "figures": _finite(outcome.figures), **facts} for outcome in outcomes]
    try:
        kept = [asdict(item) for item in _read(portfile.folder / FILE)]
        document = {"schema": 1, "records": _recent([*kept, *new])}
        write_text(portfile.folder / FILE, json.dumps(document, indent=1, allow_nan=False) + "\n")
    except PortingError as error:
        return f"Warning: no evidence was recorded: {error.message}"
    return None


def newest_records(portfile: Portfile) -> dict[str, Record]:
    """The newest record of every claim that was checked with this portfile, by the claim's name.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    name = portfile.path.name
    return {item.claim: item for item in _read(portfile.folder / FILE) if item.portfile == name}


def is_stale(item: Record, portfile: Portfile) -> bool:
    """Whether the portfile, or a file that the record speaks of, is another one by now."""
    return item.sha256 != portfile.sha256 or any(_hash(path) != sha256 for path, sha256 in item.sources.items())


def _hash(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def _read(path: Path) -> list[Record]:
    """The records in the order in which they were made; none if there is no file."""
    try:
        if not path.exists():
            return []
        document = strictjson.loads(path.read_bytes())
        if not isinstance(document, dict) or document.get("schema") != 1:
            raise ValueError("it does not say schema 1")
        return [_record(entry) for entry in document["records"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvidenceError(
            f"{show(path)} is damaged: {show(error)}",
            hint=f"delete it and run the checks again: rm {FILE} && porting verify",
        ) from None


def _recent(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The newest records of every claim and portfile, in their order."""
    count = Counter((entry["portfile"], entry["claim"]) for entry in records)
    recent = []
    for entry in records:
        if count[entry["portfile"], entry["claim"]] <= KEPT:
            recent.append(entry)
        count[entry["portfile"], entry["claim"]] -= 1
    return recent


def _record(entry: Any) -> Record:
    item = Record(**entry)
    texts = [getattr(item, field.name) for field in fields(Record) if field.type == "str"]
    maps = (item.figures, item.versions, item.sources)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(each, dict) for each in maps):
        raise ValueError("a record has a value of another kind than it should")
    if not isinstance(item.step, int) or item.result not in RESULTS:
        raise ValueError(f"a record's result is one of {', '.join(RESULTS)}, and its step a number")
    if not all(isinstance(value, Figure) for each in maps for value in each.values()):
        raise ValueError("a figure is a number, a text, true, false or null")
    return item


def _finite(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
