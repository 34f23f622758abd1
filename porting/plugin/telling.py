"""What a run tells of its checks: a line at its head, a section at its end, and a JSON file."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting.atomic import write_text
from porting.errors import OutputError
from porting.plugin.sharing import relative
from porting.text import show, show_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from porting.plugin.settings import Settings

FINE = ("passed", "skipped", "expected failure")
Facts = dict[str, Any]
"""What one check said: `CheckItem.facts`."""


def header(config: pytest.Config, settings: Settings) -> str:
    """Versions, portfiles and what the run overrules, without an import of what the versions are of."""
    said = [relative(path, config) for path in settings.portfiles]
    said += [f"{package} {_version(package)}" for package in ("torch", "transformers")]
    if settings.overruled:
        said.append(f"tolerance overruled: {settings.overruled}")
    if settings.strict:
        said.append("strict")
    return f"porting {_version('porting')}: {', '.join(said)}"


class Told:
    """What the checks of a run said so far.

    Attributes:
        notes: what is added to the section at the end.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.notes: list[str] = []
        self._checks: dict[str, Facts] = {}

    def add(self, node_id: str, facts: Facts, seconds: float) -> None:
        """Keep what a check said; what comes last counts, as an error after its end or another try."""
        self._checks[node_id] = {"id": node_id, "seconds": round(seconds, 3), **facts}

    @property
    def portfiles(self) -> list[Path]:
        """The portfiles of which a check was run."""
        return [Path(path) for path in dict.fromkeys(facts["portfile"] for facts in self._checks.values())]

    @property
    def unverified(self) -> list[Path]:
        """The portfiles of which every check was skipped."""
        return [path for path in self.portfiles if {facts["status"] for facts in self._of(path)} == {"skipped"}]

    def lines(self) -> list[str]:
        """The section at the end; none if no check ran."""
        found: list[str] = []
        for path in self.portfiles:
            if len(self.portfiles) > 1:
                found.append(f"{relative(path, self.config)}:")
            found += self._lines(path)
        return [*found, *self.notes]

    def write(self) -> None:
        """Write the JSON file, if one is wanted.

        Raises:
            OutputError: the disk refuses.
        """
        path = self.settings.report
        if path is None or not self._checks:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "name another file with --porting-report"
            raise OutputError(f"cannot make {show(path.parent)}: {error.strerror}", hint=hint) from None
        write_text(path, json.dumps(self._document(), indent=2, allow_nan=False) + "\n")
        self.notes.append(f"report: {show(path)}")

    def _document(self) -> dict[str, Any]:
        checks = list(self._checks.values())
        statuses = [facts["status"] for facts in checks]
        return {
            "schema": 1,
            "ok": not self.unverified and set(statuses) <= set(FINE),
            "counts": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
            "checks": [{name: value for name, value in facts.items() if name != "schema"} for facts in checks],
        }

    def _of(self, path: Path) -> list[Facts]:
        return [facts for facts in self._checks.values() if facts["portfile"] == str(path)]

    def _lines(self, path: Path) -> Iterator[str]:
        checks = self._of(path)
        statuses = [facts["status"] for facts in checks]
        counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
        judged = (facts["figures"] for facts in checks if "verdict" in facts["figures"])
        found = {name: value for name, value in next(judged, {}).items() if value is not None}
        yield f"{found.get('verdict') or 'not compared'}: {counts}"
        if path in self.unverified:
            yield "every check was skipped, so that nothing was verified: the run fails"
        devices = ", ".join(dict.fromkeys(device for facts in checks for device in facts["devices"]))
        yield f"tolerance: {checks[0]['tolerance']}{f'; on {show(devices)}' if devices else ''}"
        if checks[0]["loosened"]:
            yield f"tolerance loosened: {checks[0]['loosened']}"
        warnings = list(dict.fromkeys(text for facts in checks for text in facts["warnings"]))
        yield from (f"warning: {show_lines(text)}" for text in warnings)
        if "first_divergence" in found:
            yield f"first divergence: {show(found['first_divergence'])}"
        if "culprit" in found:
            cause = f" ({show(found['cause'])}, proven)" if "cause" in found else ""
            yield f"culprit: {show(found['culprit'])}{cause}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
