"""Where the evidence of a checklist comes from: commits, versions, devices, the newest date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from porting.evidence import Record

PACKAGES = ("porting", "torch", "transformers")
SHORT = 12
"""Characters of a commit."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the records that decide have in common, or all that they say where they differ.

    Attributes:
        records: how many there are.
        commits: of the portfile's repository and of the port's; what was not committed is called dirty.
        versions: of porting, torch and transformers, by package.
        devices: that the models were on.
        time: of the newest record, UTC, ISO 8601; empty if there is none.
    """

    records: int
    commits: tuple[str, ...]
    versions: tuple[tuple[str, tuple[str, ...]], ...]
    devices: tuple[str, ...]
    time: str

    @classmethod
    def of(cls, records: Iterable[Record]) -> Origin:
        """The origin of some records, whose order does not matter."""
        found = sorted(records, key=lambda record: record.time)
        versions = {package: _distinct(record.versions.get(package, "") for record in found) for package in PACKAGES}
        return cls(
            len(found),
            _distinct(commit for record in found for commit in _commits(record)),
            tuple((package, values) for package, values in versions.items() if values),
            _distinct(record.device for record in found),
            found[-1].time if found else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """The origin as JSON."""
        return {
            "records": self.records,
            "commits": list(self.commits),
            "versions": {package: list(values) for package, values in self.versions},
            "devices": list(self.devices),
            "time": self.time or None,
        }


def _commits(record: Record) -> tuple[str, ...]:
    own = _commit(record.commit, record.dirty), _commit(record.code_commit, record.code_dirty)
    return tuple(commit for commit in own if commit)


def _commit(commit: str | None, dirty: bool | None) -> str:
    if commit is None:
        return ""
    return f"{commit[:SHORT]} (dirty)" if dirty else commit[:SHORT]


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
