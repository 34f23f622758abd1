"""``porting check``."""

from __future__ import annotations

import click

from porting.cli._frame import (
    common_options,
    console,
    debugging,
    emit_json,
    finish,
    progress_bar,
    say,
    say_traceback,
)


@click.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--step", "steps", type=int, multiple=True, metavar="N", help="Run the checks of this step only.")
@click.option("--skip", multiple=True, metavar="NAME", help="Leave checks out.")
@click.option("--list", "listing", is_flag=True, help="Show the checks with their steps and claims; run none.")
@common_options
def command(
    names: tuple[str, ...], steps: tuple[int, ...], skip: tuple[str, ...], listing: bool, portfile: str, as_json: bool
) -> None:
    """Check the claims of the add-a-model recipe on a port.

    A NAME is a check, the beginning of some, or a pattern; check_ may be left out. Each check passes, fails, or says
    why it was skipped; if all are skipped the exit code is 3. EXPECTED_FAILURES in the portfile lists known failures.

    \b
    Examples:
      porting check
      porting check weights --step 6
      porting check '*cache*' --skip hidden_states
      porting check --list
    """
    from porting.checks import CheckContext, record_checks, run_checks
    from porting.portfile import Portfile
    from porting.report.detail import shown

    if listing:
        _list(names, steps, skip, as_json=as_json)
        return
    context = CheckContext(Portfile.load(portfile))
    with progress_bar() as progress:
        report = run_checks(context, names, steps=steps, skip=skip, progress=progress)
    if warning := record_checks(context, report):
        say(warning)
    for result in report.failures:
        if result.exception is not None and debugging():
            say_traceback(result.exception)
    with shown(portfile=portfile):
        finish(report, as_json=as_json)


def _list(names: tuple[str, ...], steps: tuple[int, ...], skip: tuple[str, ...], *, as_json: bool) -> None:
    from porting.checks import select_checks

    checks = select_checks(names, steps=steps, skip=skip)
    if as_json:
        listed = [{"name": check.name, "step": check.step, "claim": check.claim} for check in checks]
        emit_json({"schema": 1, "checks": listed})
        return
    from porting.report.checks import render_listing

    console().print(render_listing(checks), crop=False)
