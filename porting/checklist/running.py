"""Run the checks that are open; what has run is kept, whatever happens afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from porting.checklist.making import listed_claims
from porting.evidence import records_by_claim
from porting.progress import Progress, silent
from porting.recipe import all_claims

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checks import CheckContext, CheckReport, CheckResult
    from porting.portfile import Portfile

SECONDS = 3.0
"""That may pass before what was said is kept."""


def run_open(portfile: Portfile, *, everything: bool = False, progress: Progress = silent) -> CheckReport:
    """Run every check whose claim is to do, stale or failed, and keep the evidence while they run.

    Args:
        portfile: of the port.
        everything: run the checks that are done, too.
        progress: called with the name of each check before it runs.

    Returns:
        What the checks said, without any if nothing is open.

    Raises:
        EvidenceError: the evidence file is damaged.
        PortfileError: ``EXPECTED_FAILURES`` names a check that does not exist.
    """
    from porting.checks import CheckContext, CheckReport, run_checks

    context = CheckContext(portfile)
    names, steps = names_to_run(portfile, everything=everything), {claim.name: claim.step for claim in all_claims()}
    results: list[CheckResult] = []
    with _Keeper(context) as keeper:
        for number, name in enumerate(names):
            keeper.begin(steps[name])
            progress(name, number, len(names))
            report = run_checks(context, [name])
            results.extend(report.results)
            keeper.take(report.results)
    return CheckReport(tuple(results), (*context.warnings, *keeper.warnings))


class _Keeper:
    """Keeps what checks said: after each step, every few seconds, and at the end, even if that is an interruption."""

    def __init__(self, context: CheckContext) -> None:
        self.context = context
        self.warnings: tuple[tuple[str, str], ...] = ()
        self._waiting: list[CheckResult] = []
        self._kept = time.monotonic()
        self._step = 0

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self._keep()

    def begin(self, step: int) -> None:
        """Keep what was said of earlier steps, as claims of this one may speak of it, and what has waited for long."""
        if step != self._step or time.monotonic() - self._kept > SECONDS:
            self._keep()
        self._step = step

    def take(self, results: Sequence[CheckResult]) -> None:
        """Take over what was said."""
        self._waiting += results

    def _keep(self) -> None:
        from porting.checks import CheckReport, record_checks

        waiting, self._waiting = self._waiting, []
        if waiting and (warning := record_checks(self.context, CheckReport(tuple(waiting)))):
            self.warnings = (("evidence", warning),)
        self._kept = time.monotonic()


def names_to_run(portfile: Portfile, *, everything: bool = False) -> tuple[str, ...]:
    """The checks that `run_open` runs, in their order.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    listed = listed_claims(portfile, records_by_claim(portfile)).values()
    programs = (each for each in listed if each.claim.kind == "program")
    return tuple(each.claim.name for each in programs if each.open or everything)
