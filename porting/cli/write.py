"""``porting write``: the documents of a port."""

from __future__ import annotations

from pathlib import Path

import click

from porting.cli._frame import common_options, finish

WHAT = ("page", "card", "pull-request", "notebook")


@click.command("write")
@click.argument("what", nargs=-1, type=click.Choice(WHAT), metavar="[WHAT]...")
@click.option("--output", default=None, type=click.Path(), help="A folder for all files  [default: each's own place].")
@click.option("--force", is_flag=True, help="Write existing files anew, with all that is in them.")
@click.option("--no-try", is_flag=True, help="Do not run the examples on the converted folder.")
@click.option("--dry-run", is_flag=True, help="Print the files, write nothing.")
@common_options
def command(
    what: tuple[str, ...],
    output: str | None,
    force: bool,
    no_try: bool,
    dry_run: bool,
    portfile: str,
    as_json: bool,
) -> None:
    """Write the documents of a port, filled in from its config, its files and its evidence.

    WHAT is page (for Transformers' documentation), card (README.md of the converted folder), pull-request and
    notebook; by default all that apply but the notebook. What only a person knows is marked, [[you: ...]], and
    listed. In files that are there only what porting wrote is written anew: what you wrote stays.

    \b
    Examples:
      porting write
      porting write card
      porting write page pull-request --dry-run
      porting write notebook --output docs
    """
    from porting.documents import Wanted, write_documents
    from porting.portfile import Portfile

    loaded = Portfile.load(portfile, both_sides=False)
    wanted = Wanted(None if output is None else Path(output).absolute(), force, dry_run, tried=not no_try)
    finish(write_documents(loaded, what, wanted), as_json=as_json)  # type: ignore[arg-type]
