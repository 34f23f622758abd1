"""What a model loses in half precision, and where."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from porting.behaviour.lowered import lowered, lowered_inputs, rounded_inputs, rounding_to
from porting.behaviour.subject import Outputs, Subject
from porting.comparison import Positions
from porting.errors import CaptureError
from porting.hooks.capturing import capture
from porting.runs import Inputs
from porting.trace import Call, Trace


@dataclass(frozen=True)
class Half:
    """A run in half precision on the given inputs.

    Attributes:
        subject: that ran.
        dtype: of its weights.
        buffers: whether buffers that are not saved were in it, too: with them in float32 the forward raises.
        outputs: what it returned.
    """

    subject: Subject
    dtype: torch.dtype
    buffers: bool
    outputs: Outputs

    @property
    def nonfinite(self) -> tuple[str, ...]:
        """Names of outputs with NaN or Inf at a valid position where the model itself has none."""
        given = self.subject.given
        positions = Positions(self.subject.valid_positions(self.subject.inputs))
        return tuple(
            name
            for name, tensor in self.outputs.items()
            if name in given and _bad(tensor, positions) and not _bad(given[name], positions)
        )

    def trace(self) -> Trace:
        """The same run with every call in it."""
        with lowered(self.subject.model, self.dtype, buffers=self.buffers):
            return _trace(self.subject, lowered_inputs(self.subject.inputs, self.dtype))


def in_half(subject: Subject, dtype: torch.dtype) -> Half:
    """Run a model in half precision.

    Raises:
        CaptureError: its forward raised, with the buffers that are not saved in float32 and in half precision.
    """
    inputs = lowered_inputs(subject.inputs, dtype)
    try:
        with lowered(subject.model, dtype):
            return Half(subject, dtype, False, subject.outputs(inputs))
    except CaptureError:
        with lowered(subject.model, dtype, buffers=True):
            return Half(subject, dtype, True, subject.outputs(inputs))


def rounded_outputs(subject: Subject, dtype: torch.dtype) -> Outputs:
    """What a model returns in its own precision, with its weights and every result rounded to another one."""
    inputs = rounded_inputs(subject.inputs, dtype)
    with rounding_to(subject.model, dtype):
        return subject.outputs(inputs)


def losses(subject: Subject, outputs: Outputs) -> dict[str, float]:
    """By output, the median relative error of its vectors against float64; those without a finite one are left out.

    The median, as a choice that falls out otherwise by rounding alone (of an expert, a code) changes a whole vector.
    """
    exact = subject.exact or subject.given
    positions = Positions(subject.valid_positions(subject.inputs))
    found = {name: _loss(exact[name], tensor, positions) for name, tensor in outputs.items() if name in exact}
    return {name: loss for name, loss in found.items() if loss is not None}


def first_nonfinite(half: Half) -> str | None:
    """The first call, as they return, with NaN or Inf in half precision where the model itself has none."""
    own, low = _trace(half.subject), half.trace()
    for call in low.completed:
        twin = own.by_key.get(call.key)
        if twin is not None and _finite(own, twin) and not _finite(low, call):
            return call.label
    return None


def first_lossy(half: Half, factor: float) -> str | None:
    """The first call that loses ``factor`` times what rounding every result explains there."""
    own, low = _trace(half.subject), half.trace()
    inputs = rounded_inputs(half.subject.inputs, half.dtype)
    with rounding_to(half.subject.model, half.dtype):
        explained = _trace(half.subject, inputs)
    least = torch.finfo(half.dtype).eps
    for call in low.completed:
        if call.key not in own.by_key or call.key not in explained.by_key:
            continue
        if _lost(own, low, call.key) > factor * max(_lost(own, explained, call.key), least):
            return call.label
    return None


def largest_inside(subject: Subject) -> tuple[str, float]:
    """The call of the model itself whose finite results are largest, and how large."""
    trace = _trace(subject)
    sizes: dict[str, float] = {}
    for call in trace.completed:
        tensors = [trace.tensor(leaf) for leaf in call.outputs.tensor_leaves()]
        finite = [t[t.isfinite()] for t in tensors if t.is_floating_point()]
        sizes[call.label] = max((float(t.abs().max()) for t in finite if t.numel()), default=0.0)
    return max(sizes.items(), key=lambda item: item[1], default=("", 0.0))


def _trace(subject: Subject, inputs: Inputs | None = None) -> Trace:
    given = subject.inputs if inputs is None else inputs
    return capture(subject.model, given, run=subject.forward, side=subject.side, sketches=False)


def _bad(tensor: torch.Tensor, positions: Positions) -> bool:
    mask = positions.mask(tensor)
    finite = tensor.isfinite()
    return not bool((finite if mask is None else finite | ~mask).all())


def _finite(trace: Trace, call: Call) -> bool:
    tensors = (trace.tensor(leaf) for leaf in call.outputs.tensor_leaves())
    return all(bool(tensor.isfinite().all()) for tensor in tensors if tensor.is_floating_point())


def _lost(own: Trace, other: Trace, key: tuple[int, str, int]) -> float:
    """The largest loss of what a call returns."""
    leaves = {leaf.name: leaf for leaf in other.by_key[key].outputs.tensor_leaves()}
    found = [
        _loss(own.tensor(leaf), other.tensor(leaves[leaf.name]), Positions.of(own))
        for leaf in own.by_key[key].outputs.tensor_leaves()
        if leaf.name in leaves
    ]
    return max((loss for loss in found if loss is not None), default=0.0)


def _loss(exact: torch.Tensor, tensor: torch.Tensor, positions: Positions) -> float | None:
    if exact.shape != tensor.shape or not exact.is_floating_point() or not tensor.is_floating_point():
        return None
    width = exact.shape[-1] if exact.dim() else 1
    one, other = (each.double().reshape(-1, width) for each in (exact, tensor))
    size = one.norm(dim=-1)
    counts = one.isfinite().all(-1) & other.isfinite().all(-1) & (size > 0)
    mask = positions.mask(exact)
    if mask is not None:
        counts &= mask.reshape(-1, width).any(-1)
    return float(((other - one).norm(dim=-1) / size)[counts].median()) if bool(counts.any()) else None
