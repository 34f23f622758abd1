"""``porting compare``."""

from __future__ import annotations

import click

from porting.cli._frame import finish, result_options


@click.command()
@click.argument("original", type=click.Path())
@click.argument("ported", type=click.Path())
@click.option("--atol", type=click.FloatRange(min=0), default=1e-3, show_default=True, help="Absolute tolerance.")
@click.option("--rtol", type=click.FloatRange(min=0), default=1e-3, show_default=True, help="Relative tolerance.")
@click.option("--full", is_flag=True, help="Show every module, without folding equal layers.")
@result_options
def command(original: str, ported: str, atol: float, rtol: float, as_json: bool, full: bool) -> None:
    """Compare two recorded traces, the ORIGINAL's and the PORTED model's; neither model is needed.

    \b
    Examples:
      porting capture && porting compare traces/original traces/ported
    """
    from porting.comparison import compare
    from porting.report.detail import shown
    from porting.tolerance import Tolerance
    from porting.trace import open_trace

    with shown(full=full):
        finish(
            compare(open_trace(original), open_trace(ported), tolerance=Tolerance(atol, rtol)),
            as_json=as_json,
        )
