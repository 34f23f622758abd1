"""What the checks of a run said is kept as evidence beside their portfiles, by the process that ran them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from porting.checks import CheckContext, CheckResult


class KeptEvidence:
    """The results of a process, until its run ends.

    Args:
        config: of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._command = _typed(config)
        self._results: dict[int, tuple[CheckContext, dict[str, CheckResult]]] = {}

    def add(self, item: Any, report: pytest.TestReport) -> None:
        """Note how a check ended; of several tries the last."""
        result = item.result if report.when == "call" else None
        if result is None and not report.failed:
            return
        context = item.common.context
        _, results = self._results.setdefault(id(context), (context, {}))
        results[item.check.name] = result or _broken(item, report)

    def keep(self) -> list[str]:
        """Write the evidence of every portfile.

        Returns:
            Warnings of what could not be kept.
        """
        from porting.checks.running.recording import record_results

        kept = (record_results(context, tuple(found.values()), self._command) for context, found in self._all())
        return [warning for warning in kept if warning]

    def _all(self) -> list[tuple[CheckContext, dict[str, CheckResult]]]:
        found, self._results = list(self._results.values()), {}
        return found


def _broken(item: Any, report: pytest.TestReport) -> CheckResult:
    """The result of a check that raised what it should not, or whose setup or end did."""
    from porting.checks import CheckResult

    message = str(report.longrepr or "").strip().rpartition("\n")[2]
    return CheckResult(item.check.name, item.check.step, "error", message)


def _typed(config: pytest.Config) -> str:
    """What was typed; a worker knows it from the process that started it."""
    arguments = getattr(config, "workerinput", {}).get("mainargv") or ["pytest", *config.invocation_params.args]
    return shlex.join(["pytest", *map(str, arguments[1:])])[:1000]
