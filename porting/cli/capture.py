"""``porting capture``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from porting.cli._frame import common_options, finish, progress_bar

if TYPE_CHECKING:
    from porting.portfile import Portfile
    from porting.recording import Recording
    from porting.runs import Side


@click.command()
@click.option(
    "--side",
    type=click.Choice(["both", "original", "ported"]),
    default="both",
    show_default=True,
    help="Which model.",
)
@click.option("--output", default=None, help="Where to write  [default: traces/ beside the portfile].")
@click.option("--show", "trace", type=click.Path(), help="Show a recorded trace, also of a forward that raised.")
@click.option("--full", is_flag=True, help="With --show: every call.")
@common_options
def command(side: str, output: str | None, trace: str | None, full: bool, portfile: str, as_json: bool) -> None:
    """Record what a model does: every module call, with the tensors that go in and come out.

    \b
    Examples:
      porting capture
      porting capture --side original --output /data/traces
      porting capture --show traces/original
    """
    from porting.portfile import Portfile
    from porting.recording import recording_of
    from porting.report.detail import shown

    if trace is not None:
        with shown(full=full):
            finish(recording_of([Path(trace)]), as_json=as_json)
    loaded = Portfile.load(portfile)
    folder = Path(output) if output else loaded.folder / "traces"
    sides: list[Side] = ["original", "ported"] if side == "both" else ["original" if side == "original" else "ported"]
    finish(_record(loaded, sides, folder.absolute()), as_json=as_json)


def _record(portfile: Portfile, sides: list[Side], folder: Path) -> Recording:
    from porting.hooks import capture
    from porting.other_python import record_original
    from porting.recording import recording_of
    from porting.trace import require_writable

    for side in sides:
        require_writable(folder / side)
    for side in sides:
        if side == "original" and portfile.original_python is not None:
            record_original(portfile, folder / side)
            continue
        with progress_bar() as progress:
            progress(f"building the {side} model", 0, 1)
            model = portfile.build(side)
            capture(
                model,
                portfile.inputs(side),
                run=lambda model, inputs, side=side: portfile.run(side, model, inputs),  # type: ignore[misc]
                folder=folder / side,
                valid_positions=portfile.valid_positions(),
                side=side,
                seed=int(side == "ported"),
                progress=progress,
            )
    return recording_of([folder / side for side in sides])
