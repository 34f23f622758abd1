"""``porting tests``."""

from __future__ import annotations

import click

from porting.cli._frame import common_options, finish, progress_bar, say


@click.command("tests")
@click.option("--output", default=None, help="A file or a folder to write to  [default: beside the portfile].")
@click.option("--force", is_flag=True, help="Replace a file that porting did not write.")
@common_options
def command(output: str | None, force: bool, portfile: str, as_json: bool) -> None:
    r"""Verify the port, and write an integration test with values from the original.

    Only a port with the verdict `match` gets a test, and the port's own values are never written.

    \b
    Examples:
      porting tests
      porting tests --output tests/models/brand_new_bert
    """
    from porting.portfile import Portfile
    from porting.recipe import record_tests, record_verification
    from porting.stubs import write_integration_test
    from porting.verifying import verify_portfile

    loaded = Portfile.load(portfile)
    with progress_bar() as progress:
        verification = verify_portfile(loaded, progress=progress)
    warning = record_verification(loaded, verification)
    if warning:
        say(warning)
    generated = write_integration_test(loaded, verification, output, force=force)
    warning = record_tests(loaded, generated)
    if warning:
        say(warning)
    finish(generated, as_json=as_json)
