"""Run a model once more under a tracker, and leave it as it was found."""

from __future__ import annotations

import torch

from porting.hooks.preserving import preserved, seed_everything
from porting.hooks.tracking import CallTracker
from porting.runs import Inputs, Run
from porting.text import show


def rerun(
    model: torch.nn.Module, inputs: Inputs, run: Run | None, tracker: CallTracker, seed: int, *, wrap: bool = False
) -> object:
    """Run a model without gradients while ``tracker`` listens, as `CallTracker.hooked` does; what it returned."""
    inputs = inputs.fresh()
    with preserved(model), torch.no_grad():
        seed_everything(seed)
        with tracker.hooked(wrapped=wrap):
            return run(model, inputs) if run else inputs.forward(model)


def stopped(model: torch.nn.Module, inputs: Inputs, run: Run | None, tracker: CallTracker, seed: int) -> str:
    """Rerun; what the model's code raised on tensors that it has not met before, empty if nothing."""
    try:
        rerun(model, inputs, run, tracker, seed)
    except Exception as error:
        return raised(error, tracker)
    return ""


def raised(error: Exception, tracker: CallTracker) -> str:
    """An exception of a rerun in words, with the innermost module that raised it."""
    call = tracker.innermost(error)
    where = f" in {show(call.path) or 'the model itself'}" if call else ""
    return f"{type(error).__name__}{where}: {show(error, 300)}"
