"""What a record of evidence is, and reading one that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from porting.errors import PortingError

FILE = "porting-evidence.json"
ResultWord = Literal[
    "passed", "failed", "inconclusive", "not applicable", "lacking", "expected failure", "error", "ticked"
]
RESULTS: tuple[str, ...] = get_args(ResultWord)
"""How a claim can end: ``lacking`` if what it needs is not there, ``ticked`` by a person."""
SILENT = ("inconclusive", "lacking", "error")
"""Results that say nothing of the claim, neither that it is so nor that it is not."""
MOST_LINES, MOST_CHARACTERS = 12, 2000
"""Of a message that is kept."""
LONGEST = 20_000
"""Characters of any text in a record."""
MOST_SUBJECTS = 20_000
"""That a record speaks of, and figures that it has."""

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
        result: one of `RESULTS`.
        figures: what was measured, by name; a float that is not finite is kept as None.
        message: why it ended like that; its first lines are kept.
        about: what the claim speaks of, each subject with its fingerprint (`porting.evidence.subjects`).
        by: who ticked it; empty if a program checked it.
        reason: why that person says that it holds.
    """

    claim: str
    step: int
    result: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    message: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An outcome, and under which circumstances it came about.

    Attributes:
        claim: its name.
        step: number of its step.
        result: one of `RESULTS`.
        message: why it ended like that.
        figures: what was measured.
        about: what the claim speaks of, each subject with its fingerprint.
        portfile: file name of the portfile.
        sha256: of the portfile as it was loaded.
        versions: of Python and the packages that were loaded.
        device: that the models were on: ``cpu``, or the name of the GPU; empty if no model was.
        commit: of the repository that the portfile lies in; None without one.
        dirty: whether anything there was not committed; None without a repository.
        code_commit: the same of the repository of the port's code, if that is another one.
        code_dirty: the same.
        time: UTC, ISO 8601, to the second.
        command: what was run.
        by: who ticked it; empty if a program checked it.
        reason: why that person says that it holds.
    """

    claim: str
    step: int
    result: str
    message: str
    figures: Mapping[str, Figure]
    about: Mapping[str, str]
    portfile: str
    sha256: str
    versions: Mapping[str, str]
    device: str
    commit: str | None
    dirty: bool | None
    code_commit: str | None
    code_dirty: bool | None
    time: str
    command: str
    by: str
    reason: str

    @classmethod
    def read(cls, entry: Any) -> Record:
        """A record from JSON.

        Raises:
            ValueError: it is none; the message says why.
            TypeError: a name is missing or unknown.
        """
        item = cls(**entry)
        for each in fields(cls):
            _require(each.name, each.type, getattr(item, each.name))
        if item.result not in RESULTS:
            raise ValueError(f"a record's result is one of {', '.join(RESULTS)}")
        if item.result == "ticked" and not (item.by.strip() and item.reason.strip()):
            raise ValueError("a tick by hand has a name and a reason")
        return item


def first_lines(message: str) -> str:
    """The part of a message that is kept."""
    kept = "\n".join(message.split("\n")[:MOST_LINES])[:MOST_CHARACTERS]
    return kept if kept == message else f"{kept} …"


def finite(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures as JSON has them: no number of NumPy's, no NaN or Infinity."""
    return {str(name)[:LONGEST]: _plain(value) for name, value in figures.items()}


def _plain(value: Figure) -> Figure:
    if isinstance(value, str):
        return value[:LONGEST]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _require(name: str, kind: Any, value: Any) -> None:
    """Require a value of the kind that the annotation says.

    Raises:
        ValueError: it is of another one.
    """
    kinds: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "str | None": (str, type(None)),
        "bool | None": (bool, type(None)),
    }
    if kind in kinds:
        good = isinstance(value, kinds[kind]) and not (kind == "int" and isinstance(value, bool))
    else:
        inner = Figure if kind == "Mapping[str, Figure]" else str
        good = (
            isinstance(value, dict)
            and len(value) <= MOST_SUBJECTS
            and all(isinstance(each, inner) for each in value.values())
        )
        good = good and all(_short(each) for item in value.items() for each in item)
    if not good or not _short(value):
        raise ValueError(f"{name} of a record is not what it should be")


def _short(value: Any) -> bool:
    return not isinstance(value, str) or len(value) <= LONGEST
