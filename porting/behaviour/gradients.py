"""The gradients of a fixed projection of what a model returns, by parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from porting.behaviour.subject import Subject
from porting.comparison import Positions
from porting.errors import CaptureError
from porting.hooks.preserving import preserved, seed_everything
from porting.quieting import quiet
from porting.reruns.precision import in_float64, to_float64
from porting.runs import Inputs
from porting.text import show
from porting.trace.sketches import projection

Gradients = Mapping[str, torch.Tensor | None]
"""By name of a parameter that requires one; None where the result does not depend on it."""
Select = Callable[[object], Sequence[torch.Tensor]]
"""The tensors of what a forward returned that are projected."""


@dataclass(frozen=True)
class Backward:
    """A run forward and backward.

    Attributes:
        outputs: the tensors that were projected, without their graphs.
        gradients: of the parameters that require one; empty if nothing that was projected depends on any.
    """

    outputs: tuple[torch.Tensor, ...]
    gradients: Gradients


def backward_of(
    subject: Subject, select: Select, *, inputs: Inputs | None = None, valid: torch.Tensor | None = None
) -> Backward:
    """Run a model forward and backward; it keeps no gradients.

    Args:
        subject: the model.
        select: which tensors are projected.
        inputs: others than the given ones.
        valid: bool over (batch, sequence) of what is projected; None: everything.

    Raises:
        CaptureError: the forward or the backward raised.
    """
    parameters = {name: each for name, each in subject.model.named_parameters() if each.requires_grad}
    given = subject.inputs if inputs is None else inputs
    with preserved(subject.model), torch.enable_grad(), quiet():
        seed_everything(0)
        try:
            tensors = list(select(subject.forward(subject.model, given.fresh())))
            number = projected(tensors, valid)
            outputs = tuple(tensor.detach().cpu().clone() for tensor in tensors)
            if number is None or not parameters:
                return Backward(outputs, {})
            found = torch.autograd.grad(number, list(parameters.values()), allow_unused=True)
        except CaptureError:
            raise
        except Exception as error:
            text = f"the {subject.side} model's backward raised {type(error).__name__}: {show(error, 300)}"
            raise CaptureError(text, side=subject.side) from error
    held = (None if gradient is None else gradient.detach().cpu() for gradient in found)
    return Backward(outputs, dict(zip(parameters, held, strict=True)))


def exact_gradients(subject: Subject, select: Select, valid: torch.Tensor | None = None) -> Gradients:
    """The same gradients computed in float64; empty where the model cannot be."""
    try:
        with in_float64(subject.model):
            inputs = Inputs(to_float64(subject.inputs.args), to_float64(dict(subject.inputs.kwargs)))
            return backward_of(subject, select, inputs=inputs, valid=valid).gradients
    except (CaptureError, MemoryError):
        return {}


def projected(tensors: Sequence[torch.Tensor], valid: torch.Tensor | None = None) -> torch.Tensor | None:
    """One number that depends on every finite valid element of some tensors; None if they depend on no parameter."""
    positions = Positions(valid)
    parts = []
    for tensor in tensors:
        if tensor.is_floating_point() and tensor.requires_grad:
            weights = torch.from_numpy(projection(0, tensor.numel())).reshape(tensor.shape)
            counts = tensor.detach().isfinite().cpu()
            mask = positions.mask(tensor)
            weights = torch.where(counts if mask is None else counts & mask.cpu(), weights, 0.0).to(tensor)
            parts.append((torch.where(weights != 0, tensor, 0.0) * weights).sum())
    return torch.stack([part.double() for part in parts]).sum() if parts else None
