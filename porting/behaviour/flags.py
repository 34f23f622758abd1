"""A port's forward with one argument more, which asks for more or less and computes the same."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from porting.behaviour.subject import Outputs, Subject, named_tensors
from porting.errors import CaptureError
from porting.runs import Inputs


def takes(model: torch.nn.Module, name: str) -> bool:
    """Whether a forward takes an argument: by name, or any in the manner of Transformers' models."""
    parameters = inspect.signature(model.forward).parameters
    anything = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    return name in parameters or (anything and hasattr(model, "config"))


def outputs_with(subject: Subject, **arguments: Any) -> Outputs:
    """What the forward returns with more arguments.

    Raises:
        CaptureError: it raised.
    """
    return subject.outputs(_with(subject.inputs, arguments))


def tuple_outputs(subject: Subject) -> list[torch.Tensor]:
    """The tensors that the forward returns with ``return_dict=False``, in order.

    Raises:
        CaptureError: it raised, or returned something else than a tuple.
    """
    result = subject.result(_with(subject.inputs, {"return_dict": False}))
    if not isinstance(result, (tuple, torch.Tensor)):
        raise CaptureError(f"with return_dict=False the forward returns a {type(result).__name__}", side=subject.side)
    return [tensor.detach().cpu() for tensor in named_tensors(result).values()]


def _with(inputs: Inputs, arguments: dict[str, Any]) -> Inputs:
    return Inputs(inputs.args, {**inputs.kwargs, **arguments})
