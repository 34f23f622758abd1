"""Inference for what a portfile describes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from porting.errors import PortingError
from porting.progress import Progress, silent
from porting.text import show
from porting.verifying import original_of
from porting.weights.inference.inferring import infer_rules

if TYPE_CHECKING:
    import torch

    from porting.portfile import Portfile
    from porting.weights.inference.result import Inference


def infer_portfile(
    portfile: Portfile,
    checkpoint: str | os.PathLike[str],
    *,
    allow_pickle_code: str | None = None,
    progress: Progress = silent,
) -> Inference:
    """Propose the rules for a portfile's checkpoint and port, and run them against its original if it has one.

    The port is ``ported_class()`` built from ``config()``, so that it need not be loaded yet; without ``config()``
    it is ``ported()``. A portfile that has neither ``original()`` nor ``ORIGINAL_TRACE`` gives names and shapes only.

    Args:
        portfile: says how to build and run both sides.
        checkpoint: a path.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded.
        progress: called as the work goes on.

    Raises:
        PortfileError: a function of the portfile does not keep its contract.
        CheckpointError: the checkpoint cannot be read.
        CaptureError: the original raised.
    """
    progress("building the port", 0, 1)
    port = _port(portfile)
    if portfile.original_trace is None and "original" not in portfile.functions:
        return infer_rules(checkpoint, port, allow_pickle_code=allow_pickle_code, progress=progress)
    recorded = portfile.original_trace is not None and "original_inputs" in portfile.functions
    return infer_rules(
        checkpoint,
        port,
        original=original_of(portfile, progress),
        inputs=portfile.inputs("ported"),
        original_inputs=None if recorded else portfile.inputs("original"),
        run_original=lambda model, inputs: portfile.run("original", model, inputs),
        run_ported=lambda model, inputs: portfile.run("ported", model, inputs),
        outputs=portfile.pair_outputs,
        valid_positions=portfile.valid_positions(),
        tolerance=portfile.tolerance(),
        allow_pickle_code=allow_pickle_code,
        progress=progress,
    )


def _port(portfile: Portfile) -> torch.nn.Module:
    config = portfile.config()
    if config is None:
        return portfile.build("ported")
    ported_class = portfile.ported_class()
    try:
        return ported_class(config).eval()
    except Exception as error:
        raise PortingError(
            f"{show(ported_class.__name__)}(config) cannot be built: {type(error).__name__}: {show(error, 500)}",
            hint="correct ported_class() or config() of the portfile",
        ) from error
