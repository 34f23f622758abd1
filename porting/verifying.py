"""Verify what a portfile describes: both sides built, run and compared as it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from porting.evidence.asking import note
from porting.extending import Positions, guarded, require_live
from porting.original.recorded import require_accepted
from porting.progress import Progress, silent
from porting.runs import Inputs
from porting.trace import Trace, open_trace
from porting.verification import Verification, verify

if TYPE_CHECKING:
    import torch

    from porting.portfile import Portfile


def verify_portfile(
    portfile: Portfile,
    *,
    original: torch.nn.Module | None = None,
    ported: torch.nn.Module | None = None,
    strict: bool = False,
    probe: bool = False,
    reinit: int | None = None,
    progress: Progress = silent,
) -> Verification:
    """Verify what a portfile describes; with an ``ORIGINAL_TRACE`` the original is not built.

    Args:
        portfile: says how to build and run both sides.
        original: the original, where ``original()`` was called before.
        ported: the port, where ``ported()`` was called before; None calls it.
        strict: make ``suspicious`` a failure.
        probe: also run both models on generated inputs.
        reinit: also run both models with the same new weights, made from this seed.
        progress: called as the work goes on.

    Raises:
        PortfileError: a function of the portfile does not keep its contract.
        TraceError: the recorded trace is missing or damaged.
        CaptureError: a forward raised.
    """
    live = portfile.original_trace is None and portfile.original_python is None
    require_live(live, probe=probe, reinit=reinit)
    progress("building the original", 0, 1)
    reference = original_of(portfile, progress) if original is None else original
    # original_inputs() of a recorded original may need its environment, and is not asked again
    recorded = portfile.original_trace is not None and "original_inputs" in portfile.functions
    original_inputs = Inputs() if recorded else portfile.inputs("original")
    progress("building the port", 0, 1)
    port = portfile.build("ported") if ported is None else ported
    inputs = portfile.inputs("ported")
    if portfile.takes_recorded_inputs("ported") and "run_ported" not in portfile.functions:
        require_accepted(port, inputs)
    positions: Positions = portfile.valid_positions()
    if "valid_positions" in portfile.functions:
        positions = portfile.positions_of
    verification = verify(
        reference,
        port,
        inputs,
        original_inputs=original_inputs,
        run_original=lambda model, inputs: portfile.run("original", model, inputs),
        run_ported=lambda model, inputs: portfile.run("ported", model, inputs),
        outputs=portfile.pair_outputs,
        valid_positions="attended" if positions is None else positions,
        tolerance=portfile.tolerance(),
        module_map=portfile.module_map,
        strict=strict,
        probe=probe,
        reinit=reinit,
        progress=progress,
    )
    misspelt = tuple(("portfile-name", text) for text in portfile.warnings)
    return replace(verification, warnings=(*misspelt, *verification.warnings))


def verify_on(
    portfile: Portfile,
    original: torch.nn.Module,
    ported: torch.nn.Module,
    inputs: Inputs,
    original_inputs: Inputs,
    mask: torch.Tensor | None = None,
) -> Verification:
    """Verify the models of a portfile on other inputs than its own.

    Args:
        portfile: says how to run both sides and what to compare.
        original: the original, live.
        ported: the port.
        inputs: of the port.
        original_inputs: of the original.
        mask: bool over (batch, sequence) of what counts, where the portfile does not say it.
    """
    counted = portfile.counted(inputs)
    return verify(
        original,
        ported,
        inputs,
        original_inputs=original_inputs,
        run_original=lambda model, inputs: portfile.run("original", model, inputs),
        run_ported=lambda model, inputs: portfile.run("ported", model, inputs),
        outputs=guarded(portfile.pair_outputs),
        valid_positions=mask if counted is None else counted,
        tolerance=portfile.tolerance(),
        module_map=portfile.module_map,
    )


def original_of(portfile: Portfile, progress: Progress = silent) -> torch.nn.Module | Trace:
    """The original of a portfile: its recorded trace, one made by another interpreter, or the live model."""
    if portfile.original_trace is not None:
        note("trace")
        return open_trace(portfile.original_trace)
    if portfile.original_python is None:
        return portfile.build("original")
    from porting.original.other_python import record_original

    return record_original(portfile, portfile.folder / "traces" / "original", progress=progress)
