"""``porting checklist``."""

from __future__ import annotations

import click

from porting.cli._frame import common_options, finish


@click.command()
@common_options
def command(portfile: str, as_json: bool) -> None:
    """Show the 14 steps of adding a model to Transformers, with what the evidence says of each on this port."""
    from porting.checklist import make_checklist
    from porting.portfile import Portfile

    finish(make_checklist(Portfile.load(portfile)), as_json=as_json)
