"""``porting capture``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from porting.cli._frame import common_options, finish, progress_bar, say
from porting.cli._size import Size

if TYPE_CHECKING:
    from porting.capturing import Wanted
    from porting.portfile import Portfile
    from porting.recording import Recording
    from porting.results import Result
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
@click.option(
    "--repeat", type=click.IntRange(min=1), default=1, help="Run each model so often; the bits must be equal."
)
@click.option("--noise", is_flag=True, help="Also measure how far each result moves by itself, for the verdict.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Tensors of these module paths alone: encoder.layer.*")
@click.option("--skip", multiple=True, metavar="PATTERN", help="No tensors of these module paths.")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Tensors of modules of this class alone.")
@click.option("--depth", type=click.IntRange(min=0), help="No tensors below this depth; the model itself is 0.")
@click.option("--limit", type=Size(), help="Most bytes of tensors, such as 2GiB; what comes after is left out.")
@click.option("--no-inputs", is_flag=True, help="Outputs alone.")
@click.option("--gradients", is_flag=True, help="Also run backward and record gradients.")
@click.option("--wrap-forward", is_flag=True, help="Also see modules whose forward is called directly.")
@click.option("--show", "trace", type=click.Path(), help="Show a recorded trace, also of a forward that raised.")
@click.option("--validate", "suspect", type=click.Path(), help="Read all of a trace, against every checksum.")
@click.option("--tensor", "address", help="With --show: one tensor, by its address: encoder.layer.0:outputs.0")
@click.option("--diff", "pair", type=click.Path(), nargs=2, help="What differs between two traces, by checksums.")
@click.option("--full", is_flag=True, help="With --show or --diff: fold nothing.")
@common_options
def command(
    side: str,
    output: str | None,
    repeat: int,
    trace: str | None,
    suspect: str | None,
    address: str | None,
    pair: tuple[str, str] | None,
    full: bool,
    portfile: str,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Record what a model does: every module call, with the tensors that go in and come out.

    \b
    Examples:
      porting capture
      porting capture --side original --repeat 2
      porting capture --side original --noise
      porting capture --only 'encoder.layer.0*' --limit 2GiB
      porting capture --show traces/original
      porting capture --show traces/original --tensor encoder.layer.0:inputs.hidden_states
      porting capture --diff traces/original traces/again
      porting capture --validate traces/original
    """
    from porting.capturing import capture_portfile
    from porting.evidence.asking import listening
    from porting.portfile import Portfile
    from porting.recording import recording_of, validate
    from porting.report.detail import shown

    _refuse_together(trace, suspect, address, pair)
    with shown(full=full, portfile=portfile):
        if trace is not None and address is not None:
            finish(_summary(trace, address), as_json=as_json)
        if trace is not None:
            finish(recording_of([Path(trace)]), as_json=as_json)
        if pair is not None:
            finish(_difference(*pair), as_json=as_json)
        if suspect is not None:
            finish(validate(Path(suspect)), as_json=as_json)
        loaded = Portfile.load(portfile)
        folder = _normal(output) if output else loaded.folder / "traces"
        sides: list[Side] = ["original", "ported"]
        asked = [each for each in sides if side in ("both", each)]
        with progress_bar() as progress, listening() as heard:
            recording = capture_portfile(
                loaded,
                folder,
                sides=asked,
                repeats=repeat,
                wanted=_wanted(**wanted),
                progress=progress,
            )
        for warning in recording.warnings:
            say(f"Warning: {warning}")
        _keep(loaded, recording, heard)
        finish(recording, as_json=as_json)


def _refuse_together(trace: str | None, suspect: str | None, address: str | None, pair: object) -> None:
    given = [
        name for name, value in (("--show", trace), ("--validate", suspect), ("--diff", pair)) if value is not None
    ]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are asked for apart")
    if address is not None and trace is None:
        raise click.UsageError("--tensor is a tensor of the trace that --show names")


def _normal(output: str) -> Path:
    """The absolute path without ``..``, which would have folders made that nothing is written to."""
    return Path(os.path.normpath(Path(output).absolute()))


def _summary(folder: str, address: str) -> Result:
    from porting.trace import open_trace
    from porting.trace.summary import summarise

    return summarise(open_trace(folder, allow_failed=True), address, folder)


def _difference(one: str, other: str) -> Result:
    from porting.trace import open_trace

    return open_trace(one, allow_failed=True).diff(open_trace(other, allow_failed=True))


def _wanted(
    only: tuple[str, ...],
    skip: tuple[str, ...],
    classes: tuple[str, ...],
    depth: int | None,
    limit: int | None,
    no_inputs: bool,
    **flags: bool,
) -> Wanted:
    from porting.capturing import Wanted
    from porting.hooks.selection import Selection

    return Wanted(Selection(only, skip, classes, depth, limit), record_inputs=not no_inputs, **flags)


def _keep(portfile: Portfile, recording: Recording, asked: set[str]) -> None:
    """Keep the evidence that the original repeats itself."""
    from porting.checks import CheckContext
    from porting.checks.running.settled import record_capture

    warning = record_capture(CheckContext(portfile), recording, asked)
    if warning:
        say(warning)
