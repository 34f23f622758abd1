"""``porting checklist``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from porting.cli._checklist import Wanted
from porting.cli._frame import common_options, debugging, progress_bar, say, say_traceback

if TYPE_CHECKING:
    from porting.portfile import Portfile


@click.command("checklist")
@click.option("--run", is_flag=True, help="Run the checks that are to do, stale or failed, then show.")
@click.option("--all", "everything", is_flag=True, help="With --run: those that are done, too.")
@click.option("--step", type=click.IntRange(1, 14), metavar="N", help="Show one step with all its claims.")
@click.option("--markdown", is_flag=True, help="Print it for the pull request.")
@click.option("--html", is_flag=True, help="Print it as a page that needs no other file.")
@click.option("--github", is_flag=True, help="Add it to the step summary of GitHub Actions, and annotate failures.")
@click.option("--output", metavar="FILE", help="With --markdown or --html: write this file.")
@click.option("--check", is_flag=True, help="Exit with 1 if a required step is not done.")
@click.option("--tick", metavar="CLAIM", help="Keep that a person vouches for a claim; needs --by and --reason.")
@click.option("--not-applicable", "aside", metavar="CLAIM|STEP", help="Keep that it does not apply; needs the same.")
@click.option("--untick", metavar="CLAIM|STEP", help="Take back what was said by hand.")
@click.option("--by", metavar="NAME", help="Who says it.")
@click.option("--reason", metavar="TEXT", help="Why it is so.")
@common_options
def command(portfile: str, **options: Any) -> None:
    """Show the 14 steps of adding a model to Transformers: what is done, on what evidence, and what to do next.

    Nothing is run without --run: the evidence is in porting-evidence.json beside the portfile, where every command
    leaves it, and goes stale when what it speaks of changes. What no program can verify a person ticks.

    \b
    Examples:
      porting checklist --run
      porting checklist --step 6
      porting checklist --tick left-out --by "Ada Lovelace" --reason "position_ids are computed"
      porting checklist --not-applicable 9 --by "Ada Lovelace" --reason "the model has no tokenizer"
      porting checklist --markdown --output checklist.md
      porting checklist --check --github
    """
    from porting.checklist import make_checklist
    from porting.portfile import Portfile

    wanted = Wanted(**options)
    wanted.require_sense()
    loaded = Portfile.load(portfile, both_sides=False)
    said = wanted.keep_word(loaded)
    if wanted.run:
        _run(loaded, everything=wanted.everything)
    checklist = make_checklist(loaded)
    wanted.show(checklist, said)
    if wanted.check and not checklist.complete:
        say(checklist.failure_message())
        raise click.exceptions.Exit(checklist.exit_code)


def _run(portfile: Portfile, *, everything: bool) -> None:
    from porting.checklist import run_open

    try:
        with progress_bar() as progress:
            report = run_open(portfile, everything=everything, progress=progress)
    except KeyboardInterrupt:
        say("The evidence of the checks that had ended is kept.")
        raise
    for code, message in report.warnings:
        say(f"Warning: {message}  [{code}]")
    for result in report.results:
        if result.exception is not None and debugging():
            say_traceback(result.exception)
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
    say(f"ran {len(report.results)} checks: {counts}\n" if report.results else "there is no check to run\n")
