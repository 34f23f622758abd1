"""``porting capture``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from porting.cli._frame import common_options, finish, progress_bar, say

if TYPE_CHECKING:
    from porting.portfile import Portfile
    from porting.recording import Recording
    from porting.results import Result
    from porting.runs import Side
    from porting.trace import Trace


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
    noise: bool,
    trace: str | None,
    suspect: str | None,
    address: str | None,
    pair: tuple[str, str] | None,
    full: bool,
    portfile: str,
    as_json: bool,
) -> None:
    """Record what a model does: every module call, with the tensors that go in and come out.

    \b
    Examples:
      porting capture
      porting capture --side original --repeat 2
      porting capture --side original --noise
      porting capture --show traces/original
      porting capture --show traces/original --tensor encoder.layer.0:inputs.hidden_states
      porting capture --diff traces/original traces/again
      porting capture --validate traces/original
    """
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
        folder = Path(output) if output else loaded.folder / "traces"
        sides: list[Side] = ["original", "ported"]
        wanted = [each for each in sides if side in ("both", each)]
        recording = _record(loaded, wanted, folder.absolute(), repeat, noise=noise)
        _keep(loaded, recording)
        finish(recording, as_json=as_json)


def _refuse_together(trace: str | None, suspect: str | None, address: str | None, pair: object) -> None:
    given = [
        name for name, value in (("--show", trace), ("--validate", suspect), ("--diff", pair)) if value is not None
    ]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are asked for apart")
    if address is not None and trace is None:
        raise click.UsageError("--tensor is a tensor of the trace that --show names")


def _summary(folder: str, address: str) -> Result:
    from porting.trace import open_trace
    from porting.trace.summary import summarise

    return summarise(open_trace(folder, allow_failed=True), address, folder)


def _difference(one: str, other: str) -> Result:
    from porting.trace import open_trace

    return open_trace(one, allow_failed=True).diff(open_trace(other, allow_failed=True))


def _record(portfile: Portfile, sides: list[Side], folder: Path, repeats: int, *, noise: bool) -> Recording:
    from porting.recording import Recording, recording_of
    from porting.repeating import differing_calls
    from porting.trace import require_writable

    if noise:
        _refuse_other_python(portfile, sides)
    for side in sides:
        require_writable(folder / side)
    differing: dict[Path, tuple[str, ...]] = {}
    for side in sides:
        first = _capture(portfile, side, folder / side, 0, noise=noise)
        for number in range(1, repeats):
            with TemporaryDirectory(prefix="porting-") as scratch:
                again = _capture(portfile, side, Path(scratch) / side, number)
                differing[folder / side] = differing.get(folder / side) or differing_calls(first, again)
    traces = recording_of([folder / side for side in sides]).traces
    return Recording(traces, repeats, tuple(differing.items()))


def _capture(portfile: Portfile, side: Side, folder: Path, number: int, *, noise: bool = False) -> Trace:
    """Run one side; every run has random numbers of its own, as a right forward needs none."""
    from porting.hooks import capture
    from porting.other_python import record_original

    if side == "original" and portfile.original_python is not None:
        return record_original(portfile, folder)
    with progress_bar() as progress:
        progress(f"building the {side} model", 0, 1)
        model = portfile.build(side)
        return capture(
            model,
            portfile.inputs(side),
            run=lambda model, inputs: portfile.run(side, model, inputs),
            folder=folder,
            valid_positions=portfile.valid_positions(),
            side=side,
            seed=2 * number + int(side == "ported"),
            noise=noise,
            progress=progress,
        )


def _refuse_other_python(portfile: Portfile, sides: list[Side]) -> None:
    from porting.errors import PortfileError

    if portfile.original_python is not None and "original" in sides:
        raise PortfileError(
            "the noise of an original that runs under ORIGINAL_PYTHON cannot be measured",
            hint="leave out --noise, or measure the port's alone: porting capture --side ported --noise",
        )


def _keep(portfile: Portfile, recording: Recording) -> None:
    """Keep the evidence that the original repeats itself."""
    from porting.recipe import record_capture

    warning = record_capture(portfile, recording)
    if warning:
        say(warning)
