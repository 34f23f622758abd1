"""Run many checks, whatever one of them does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.accidents import Accident
from porting.checks.running.report import CheckReport
from porting.checks.running.results import Check, CheckResult, expected_failures, run_check
from porting.checks.running.selecting import select_checks
from porting.checks.shared.context import CheckContext
from porting.evidence.asking import listening
from porting.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Collection

    from porting.portfile import Portfile


def run_checks(
    portfile: Portfile | CheckContext,
    names: Collection[str] = (),
    *,
    steps: Collection[int] = (),
    skip: Collection[str] = (),
    progress: Progress = silent,
) -> CheckReport:
    """Run the checks of the recipe on a port; the models run once, whichever checks ask for them.

    Args:
        portfile: what describes the port, or a context that has run a part already.
        names: of the checks, beginnings of names or patterns; all of them by default.
        steps: of the recipe, to run the checks of these only.
        skip: names, beginnings or patterns of checks to leave out.
        progress: called with the name of each check before it runs.

    Raises:
        SelectionError: nothing is selected.
        PortfileError: ``EXPECTED_FAILURES`` names a check that does not exist.
    """
    context = portfile if isinstance(portfile, CheckContext) else CheckContext(portfile)
    checks = select_checks(names, steps=steps, skip=skip)
    expected_failures(context.portfile)
    results = []
    for number, check in enumerate(checks):
        progress(check.name, number, len(checks))
        results.append(_result_of(check, context))
    return CheckReport(tuple(results), context.warnings)


def _result_of(check: Check, context: CheckContext) -> CheckResult:
    """Its result; what nobody raised on purpose must not take the other checks' results away."""
    try:
        with listening() as asked:
            return run_check(check, context)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of the tokenizers library is no Exception
        accident = Accident.of(error)
        return CheckResult(
            check.name,
            check.step,
            "error",
            accident.message,
            accident.hint,
            claim=check.claim,
            asked=frozenset(asked),
            exception=error,
        )
