"""``porting demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from porting.cli._frame import console, emit_json, finish, progress_bar, result_options, say

if TYPE_CHECKING:
    from porting.checks import CheckContext
    from porting.demo import Bug


@click.command()
@click.option("--break", "bug_name", metavar="NAME", help="Show this seeded bug being found; `list` lists them.")
@click.option("--output", default="porting-demo", show_default=True, help="The folder to write.")
@result_options
def command(bug_name: str | None, output: str, as_json: bool) -> None:
    """See a real port proven right, and a seeded bug found.

    The original is BERT as it was written in 2019 (pytorch-pretrained-bert), the port is transformers' BertModel,
    and both have the weights of all-MiniLM-L6-v2. The folder that it writes can be opened and run by hand.

    \b
    Examples:
      porting demo
      porting demo --break swapped-qk
      cd porting-demo && porting verify
    """
    from porting.checks import CheckContext
    from porting.demo import BUGS, write_demo
    from porting.portfile import Portfile

    if bug_name == "list":
        _list_bugs(list(BUGS.values()), as_json)
        return
    if bug_name is not None and bug_name not in BUGS:
        raise click.UsageError(f"there is no bug {bug_name!r}; choose from: {', '.join(BUGS)}")
    bug = BUGS[bug_name] if bug_name else None
    loaded = Portfile.load(write_demo(output, bug))
    if bug:
        say(f"Seeded bug {bug.name}: {bug.story}; it is the last function of {output}/portfile.py.\n")
    with progress_bar() as progress:
        context = CheckContext(loaded, progress=progress)
        verification = context.verification
        _keep(context)
    if not bug:
        say(f"Wrote {output}/: portfile.py, traces/original, traces/ported.")
        say("See a bug found: porting demo --break missing-residual   (all of them: --break list)\n")
    finish(verification, as_json=as_json)


def _keep(context: CheckContext) -> None:
    """Leave the traces in the demo's folder, and the evidence for the checklist."""
    from porting.checks.running.settled import record_verification
    from porting.trace import save_trace

    traces = context.portfile.folder / "traces"
    save_trace(context.verification.original, traces / "original")
    save_trace(context.verification.ported, traces / "ported")
    warning = record_verification(context)
    if warning:
        say(warning)


def _list_bugs(bugs: list[Bug], as_json: bool) -> None:
    if as_json:
        bug_list = [{"name": bug.name, "story": bug.story, "culprit": bug.culprit} for bug in bugs]
        emit_json({"schema": 1, "bugs": bug_list})
        return
    for bug in bugs:
        console().print(f"{bug.name:18} {bug.story}", markup=False)
