"""Run the checks that are open; what has run is kept, whatever happens afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checklist.making import listed_claims
from porting.evidence import records_by_claim
from porting.progress import Progress, silent

if TYPE_CHECKING:
    from porting.checks import CheckReport, CheckResult
    from porting.portfile import Portfile


def run_open(portfile: Portfile, *, everything: bool = False, progress: Progress = silent) -> CheckReport:
    """Run every check whose claim is to do, stale or failed, and keep the evidence of each as soon as it has ended.

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
    from porting.checks import CheckContext, CheckReport, record_checks, run_checks

    context = CheckContext(portfile)
    names = names_to_run(portfile, everything=everything)
    results: list[CheckResult] = []
    warning: str | None = None
    for number, name in enumerate(names):
        progress(name, number, len(names))
        report = run_checks(context, [name])
        warning = record_checks(context, report) or warning
        results.extend(report.results)
    kept = () if warning is None else (("evidence", warning),)
    return CheckReport(tuple(results), (*context.warnings, *kept))


def names_to_run(portfile: Portfile, *, everything: bool = False) -> tuple[str, ...]:
    """The checks that `run_open` runs, in their order.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    listed = listed_claims(portfile, records_by_claim(portfile)).values()
    programs = (each for each in listed if each.claim.kind == "program")
    return tuple(each.claim.name for each in programs if each.open or everything)
