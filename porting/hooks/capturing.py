"""Capture: hooks on every module of a torch model, one trace out."""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from porting.errors import CaptureError
from porting.hooks.gradients import GradientListener
from porting.hooks.listening import RAISED, Listener
from porting.hooks.module_table import describe_modules
from porting.hooks.module_tree import all_tensors, walk
from porting.hooks.preserving import preserved, seed_everything
from porting.hooks.recordable import refuse_opaque
from porting.hooks.selection import Selection
from porting.progress import Progress, silent
from porting.runs import Inputs, Run
from porting.text import show
from porting.trace import Failure, Trace, open_trace
from porting.trace.contents import Contents, InMemory
from porting.trace.writing import writing


def capture(
    model: torch.nn.Module,
    inputs: Mapping[str, Any] | tuple[Any, ...] | Inputs,
    *,
    run: Run | None = None,
    folder: str | os.PathLike[str] | None = None,
    valid_positions: torch.Tensor | None = None,
    side: str = "",
    seed: int = 0,
    record_inputs: bool = True,
    select: Selection | None = None,
    gradients: bool = False,
    wrap_forward: bool = False,
    sketches: bool = True,
    noise: bool = False,
    progress: Progress = silent,
) -> Trace:
    """Run a model once and record every module call, with the tensors that go in and come out.

    Tensors are copied when they pass, so that later in-place writes do not change them; identical content is kept
    once. With ``folder`` they go to the disk as they pass, and little memory is needed. The model runs without
    gradients, in the mode it is in, and is left as it was found.

    Args:
        model: any eager torch module.
        inputs: keyword arguments as a dict, positional ones as a tuple, or both as `Inputs`.
        run: how to run it, ``run(model, inputs)``, when that is not ``model(*args, **kwargs)``; may call the model
            several times (each outermost call is a step of its own).
        folder: write the trace there, replacing an earlier trace.
        valid_positions: bool tensor over (batch, sequence) of what counts in a comparison; None: everything.
        side: ``original`` or ``ported``, noted in the trace.
        seed: of the random generators during the run.
        record_inputs: leave False to record outputs alone.
        select: which modules' tensors to record, and how many bytes of them; None: all.
        gradients: also record gradients, as `porting.hooks.gradients` describes; the run then builds a graph.
        wrap_forward: listen around each module's ``forward`` instead of its call, which also sees modules whose
            ``forward`` is called directly.
        sketches: fingerprint the parameters, which alignment by weights needs.
        noise: run it some more times, and note in the trace by how much its results move by themselves.
        progress: called as module calls complete.

    Returns:
        The trace: in memory, or opened from ``folder``, where tensors are read when they are asked for.

    Raises:
        CaptureError: the model is scripted or compiled, the valid positions are not a bool tensor, the forward raised
            (the message names the innermost module; with ``folder`` the part that ran is kept as a failed trace), or
            no module was called.
        OutputError: the folder cannot be written.
    """
    refuse_opaque(model)
    _refuse_other_positions(valid_positions)
    selection = select or Selection()
    given = inputs if isinstance(inputs, Inputs) else Inputs.of(inputs, "inputs")
    with ExitStack() as stack:
        contents: Contents = InMemory(selection.limit)
        if folder is not None:
            writer = stack.enter_context(writing(folder, limit=selection.limit, progress=_told(progress)))
            contents = writer.contents
        listener = (GradientListener if gradients else Listener)(model, contents, selection, record_inputs, progress)
        with preserved(model), torch.no_grad():
            modules = describe_modules(model, sketcher=contents.sketch if sketches else _unread, progress=progress)
            run_inputs = listener.value(given.named())
            seed_everything(seed)
            untouched = torch.get_rng_state()
            result, error = listener.follow(run, given, wrap=wrap_forward)
            drew = not torch.equal(torch.get_rng_state(), untouched)
            outputs = RAISED if error else listener.value(result)
            unobserved = listener.unobserved()  # while the modules that the run made are there
        trace = Trace(
            calls=listener.finished(),
            modules=listener.described(modules),
            inputs=run_inputs,
            outputs=outputs,
            tensors=contents.tensors,
            run={**_run_facts(model, side, seed), "random": drew},
            valid=None if valid_positions is None else contents.keep(valid_positions),
            failure=listener.failure(error) if error else None,
            unobserved=unobserved,
            left_out=listener.left_out(),
        )
        if not error:
            _require_calls(trace)
        if noise and not error:
            trace = _with_noise(trace, model, given, run, wrap=wrap_forward, progress=progress)
        if folder is not None:
            writer.finish(trace)
    if trace.failure and error:
        raise _raised(trace.failure, side, folder) from error
    return trace if folder is None else open_trace(folder)


def _require_calls(trace: Trace) -> None:
    if not trace.calls:
        raise CaptureError(
            "the run called no module of the model, so there is nothing to record",
            hint="check that run_original or run_ported calls the model it is given",
        )


def _with_noise(
    trace: Trace, model: torch.nn.Module, inputs: Inputs, run: Run | None, *, wrap: bool, progress: Progress
) -> Trace:
    from porting.noise.measuring import measure_noise, with_noise  # brings in all that comparing needs

    return with_noise(trace, measure_noise(model, inputs, trace, run=run, wrap=wrap, progress=progress))


def _told(progress: Progress) -> Callable[[str], None]:
    return lambda text: progress(text, 0, 1)


def _unread(_: torch.Tensor) -> None:
    """No sketch."""


def _refuse_other_positions(valid: torch.Tensor | None) -> None:
    if valid is not None and (valid.dtype != torch.bool or valid.dim() != 2 or valid.is_meta):
        raise CaptureError(
            f"valid_positions must be a bool tensor over (batch, sequence), and is {valid.dtype} of shape "
            f"{tuple(valid.shape)} on {valid.device}",
            hint="for an attention mask of ones and zeros: attention_mask.bool()",
        )


def _run_facts(model: torch.nn.Module, side: str, seed: int) -> dict[str, Any]:
    training = [path for path, module in walk(model) if module.training]
    return {
        "side": side,
        "model": f"{type(model).__module__}.{type(model).__qualname__}",
        "seed": seed,
        "training": len(training),
        "threads": torch.get_num_threads(),
        "sources": source_of(type(model)),
        "devices": sorted({str(parameter.device) for parameter in all_tensors(model)}),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def source_of(model_class: type) -> dict[str, str]:
    """The file that a class is written in, with its SHA-256; empty if it has none."""
    try:
        path = inspect.getsourcefile(model_class)
        content = Path(path).read_bytes() if path else None
    except (OSError, TypeError):
        return {}
    return {} if path is None or content is None else {str(Path(path).absolute()): hashlib.sha256(content).hexdigest()}


def _raised(failure: Failure, side: str, folder: str | os.PathLike[str] | None) -> CaptureError:
    hint = (
        f"see what ran before it: porting capture --show {show(folder)}"
        if folder is not None
        else "add --debug for the traceback"
    )
    which = f"the {side} model" if side else "the model"
    if not failure.class_name:
        return CaptureError(f"the code that runs {which} raised {failure.error}", hint=hint, side=side)
    return CaptureError(f"{which}'s forward raised in {failure.where}: {failure.error}", hint=hint, side=side)
