"""``porting tests``."""

from __future__ import annotations

import click

from porting.cli._frame import common_options, finish, progress_bar, say


@click.command("tests")
@click.option("--output", default=None, help="A Transformers checkout or a folder  [default: the portfile's].")
@click.option("--standalone", is_flag=True, help="One file that needs only torch, transformers and pytest.")
@click.option("--force", is_flag=True, help="Replace files that porting did not write.")
@click.option("--dry-run", is_flag=True, help="Print the files, write nothing.")
@common_options
def command(output: str | None, standalone: bool, force: bool, dry_run: bool, portfile: str, as_json: bool) -> None:
    """Verify the port, and write its integration tests with values from the original.

    Only a port with the verdict `match` gets tests, and the port's own values are never written.

    \b
    Examples:
      porting tests
      porting tests --output ~/transformers
      porting tests --standalone --output test_brand_new_bert.py
    """
    from porting.checks import CheckContext
    from porting.checks.running.settled import record_verification
    from porting.portfile import Portfile
    from porting.stubs import Wanted, write_tests

    loaded = Portfile.load(portfile)
    with progress_bar() as progress:
        context = CheckContext(loaded, progress=progress)
        verification = context.verification
        warning = record_verification(context)
        wanted = Wanted(standalone, force, dry_run)
        models = {"original": context.built.get("original"), "ported": context.ported_model}
        generated = write_tests(loaded, verification, output, **models, wanted=wanted, progress=progress)
    if warning:
        say(warning)
    finish(generated, as_json=as_json)
