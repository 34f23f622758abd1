"""Capture what a portfile describes: one side or both, once or several times, into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from porting.errors import PortfileError
from porting.hooks.selection import Selection
from porting.progress import Progress, silent
from porting.recording import Recording
from porting.text import show

if TYPE_CHECKING:
    from porting.portfile import Portfile
    from porting.runs import Side
    from porting.trace import Trace


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be recorded, in the words of `porting.capture`."""

    select: Selection = field(default_factory=Selection)
    record_inputs: bool = True
    wrap_forward: bool = False
    gradients: bool = False
    noise: bool = False


def capture_portfile(
    portfile: Portfile,
    folder: Path,
    *,
    sides: Sequence[Side] = ("original", "ported"),
    repeats: int = 1,
    wanted: Wanted | None = None,
    progress: Progress = silent,
) -> Recording:
    """Record a portfile's models, each into a folder of its side's name.

    Args:
        portfile: says how to build and run both sides.
        folder: where; earlier traces of the sides are replaced.
        sides: which models.
        repeats: how often each is run; the first run is kept, the others must give its bits.
        wanted: what is recorded.
        progress: called as the work goes on.

    Raises:
        PortfileError: a function of the portfile does not keep its contract, or gradients are wanted of an original
            under ``ORIGINAL_PYTHON``.
        CaptureError: a forward raised.
        OutputError: the folder cannot be written.
    """
    from porting.reruns.repeating import differing_calls
    from porting.trace import require_writable

    wanted = wanted or Wanted()
    if wanted.gradients and portfile.original_python is not None and "original" in sides:
        raise PortfileError(
            "the gradients of an original that runs under ORIGINAL_PYTHON cannot be recorded",
            hint="leave out --gradients, or record the port's alone: porting capture --side ported --gradients",
        )
    for side in sides:
        require_writable(folder / side)
    differing: dict[Path, tuple[str, ...]] = {}
    traces: dict[Path, Trace] = {}
    warnings: list[str] = []
    for side in sides:
        first = traces[folder / side] = _captured(portfile, side, folder / side, 0, wanted, progress)
        warnings += _vain(side, first, wanted)
        for number in range(1, repeats):
            with TemporaryDirectory(prefix="porting-") as scratch:
                once_more = replace(wanted, gradients=False, noise=False)
                again = _captured(portfile, side, Path(scratch) / side, number, once_more, progress)
                differing[folder / side] = differing.get(folder / side) or differing_calls(first, again)
    return Recording(tuple(traces.items()), repeats, tuple(differing.items()), warnings=tuple(warnings))


def _vain(side: Side, trace: Trace, wanted: Wanted) -> Iterator[str]:
    """The patterns and classes that no module has."""
    for pattern in (*wanted.select.include, *wanted.select.exclude):
        if not any(fnmatchcase(path, pattern) for path in trace.modules):
            yield f"the pattern {show(pattern)} matches no module of the {side} model"
    classes = {module.class_name for module in trace.modules.values()}
    for name in wanted.select.classes:
        if name not in classes:
            yield f"no module of the {side} model is of the class {show(name)}"


def _captured(portfile: Portfile, side: Side, folder: Path, number: int, wanted: Wanted, progress: Progress) -> Trace:
    """Run one side; every run has random numbers of its own, as a right forward needs none."""
    from porting.hooks.capturing import capture
    from porting.original.other_python import record_original

    if side == "original" and portfile.original_python is not None:
        return record_original(
            portfile,
            folder,
            seed=2 * number,
            select=wanted.select,
            record_inputs=wanted.record_inputs,
            wrap_forward=wanted.wrap_forward,
            noise=wanted.noise,
            progress=progress,
        )
    progress(f"building the {side} model", 0, 1)
    return capture(
        portfile.build(side),
        portfile.inputs(side),
        run=lambda model, inputs: portfile.run(side, model, inputs),
        folder=folder,
        valid_positions=portfile.valid_positions(),
        side=side,
        seed=2 * number + int(side == "ported"),
        select=wanted.select,
        record_inputs=wanted.record_inputs,
        wrap_forward=wanted.wrap_forward,
        gradients=wanted.gradients,
        noise=wanted.noise,
        progress=progress,
    )
