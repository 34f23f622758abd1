"""``porting verify``."""

from __future__ import annotations

import click

from porting.cli._frame import common_options, finish, progress_bar, say


@click.command()
@click.option("--strict", is_flag=True, help="Fail on `suspicious`: a bug that the tolerance hides.")
@click.option("--full", is_flag=True, help="Show every module, without folding equal layers.")
@click.option("--explain-alignment", is_flag=True, help="Show which module was taken for which, and on what evidence.")
@click.option("--probe", is_flag=True, help="Also run generated inputs: longer, padded, batched, of other sizes.")
@click.option(
    "--reinit",
    type=int,
    is_flag=False,
    flag_value=0,
    default=None,
    metavar="[SEED]",
    help="Also run both models with the same new weights.",
)
@common_options
def command(
    portfile: str,
    as_json: bool,
    strict: bool,
    full: bool,
    explain_alignment: bool,
    probe: bool,
    reinit: int | None,
) -> None:
    """Prove that a port is the same model as its original, or name the modules that differ.

    Runs both models on the portfile's inputs, aligns their modules, compares the outputs, and then judges every
    ported module by itself on the original's own tensors.

    \b
    Examples:
      porting verify
      porting verify --portfile ports/bert.py --strict
      porting verify --json | jq .verdict
      porting verify --explain-alignment
      porting verify --probe --reinit
    """
    from porting.checks import CheckContext
    from porting.checks.running.settled import record_verification
    from porting.portfile import Portfile
    from porting.report.detail import shown

    loaded = Portfile.load(portfile)
    with progress_bar() as progress:
        context = CheckContext(loaded, strict=strict, probe=probe, reinit=reinit, progress=progress)
        verification = context.verification
        warning = record_verification(context)
    if warning:
        say(warning)
    with shown(full=full, alignment=explain_alignment, portfile=portfile):
        finish(verification, as_json=as_json)
