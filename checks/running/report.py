"""Many checks of one port, and what they said together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from porting.checks.running.results import CheckResult, Status
from porting.results import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

PRECEDENCE = (5, 1, 4, 3)
"""Exit codes of single checks, the one that decides over all first."""
HEADS: Mapping[int, str] = {
    0: "passed",
    1: "failed",
    3: "inconclusive",
    4: "could not run",
    5: "a bug in porting itself",
}


@dataclass(frozen=True, repr=False)
class CheckReport(Result):
    """What the checks of a port said.

    Attributes:
        results: of each check, in the order in which they ran.
        warnings: code and message of what weakens them, if the models were compared.
    """

    renderer: ClassVar[str] = "porting.report.checks:render_checks"

    results: tuple[CheckResult, ...]
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether a check passed, or failed as expected, and none did otherwise."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """5 a bug in porting itself, 1 a check failed, 4 one could not run, 3 inconclusive or all skipped; else 0."""
        codes = {result.exit_code for result in self.results}
        if all(result.status == "skipped" for result in self.results):
            return 3
        return next((code for code in PRECEDENCE if code in codes), 0)

    @property
    def counts(self) -> dict[Status, int]:
        """How many checks ended in which way."""
        statuses = [result.status for result in self.results]
        return {status: statuses.count(status) for status in get_args(Status) if status in statuses}

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The results that are not fine."""
        return tuple(result for result in self.results if not result.ok)

    @property
    def first(self) -> CheckResult | None:
        """The result that decides: the first with the exit code of all."""
        return next((result for result in self.failures if result.exit_code == self.exit_code), None)

    def summary(self) -> str:
        """How it ended, the counts, and the first failure."""
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        text = f"{HEADS[self.exit_code]}: {counts or 'no check ran'}"
        if self.first is not None:
            return f"{text}; first: {self.first.name}"
        return text if self.ok else f"{text}; nothing was verified"

    def failure_message(self) -> str:
        """The summary, then every failure with what to do next."""
        parts = [f"{result.name} ({result.status})\n{result.failure_message()}" for result in self.failures]
        return "\n\n".join((self.summary(), *parts))

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting check --json``."""
        return {
            "schema": 1,
            "ok": self.ok,
            "exit_code": self.exit_code,
            "counts": dict(self.counts),
            "checks": [
                {name: value for name, value in result.to_dict().items() if name != "schema"}
                for result in self.results
            ],
            "warnings": [{"code": code, "message": message} for code, message in self.warnings],
        }
