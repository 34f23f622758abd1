"""``porting checklist``."""

from __future__ import annotations

import click

from porting.cli._frame import common_options, finish


@click.command()
@common_options
def command(portfile: str, as_json: bool) -> None:
    """Show the 14 steps of adding a model to Transformers, with what a program verified of each on this portfile.

    The evidence is kept by `porting verify`, `porting weights` and `porting tests` in porting-evidence.json beside
    the portfile; it goes stale when the portfile changes.

    \b
    Examples:
      porting checklist
      porting checklist --json | jq .next.command
    """
    from porting.checklist import make_checklist
    from porting.portfile import Portfile

    finish(make_checklist(Portfile.load(portfile)), as_json=as_json)
