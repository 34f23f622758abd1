"""Tensors with the right values in other places: transposed, or rows, columns or taps in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.explained import Explained
from porting.diagnosis.tensors.owned import Owned, live
from porting.diagnosis.tensors.permutations import named, order_between
from porting.diagnosis.tensors.roles import is_fused_projection, projection
from porting.diagnosis.tensors.target import Target

Rearrangement = tuple[str, str, Callable[[torch.Tensor], torch.Tensor]]
"""Code, what is wrong in words, and what puts it right."""
_GATED = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "gate")


def explained_by_order(case: Case, tensor: Owned, target: Target) -> Explained | None:
    """The rearrangement of the port's tensor that gives the original's, if there is one."""
    if tensor.info.kind == "non-persistent buffer":
        return None  # it is computed, not loaded
    values = live(case.model, tensor).detach()
    for code, text, change in (*_turns(tensor), *_orders(tensor, target)):
        changed = change(values)
        if target.met_by(changed):
            summary = f"{tensor.name} has the values of the original's {target.name}, {text}"
            fix = f"put {tensor.name} into the original's order in the conversion: {text}"
            return Explained(code, tensor, summary, fix, changed.clone())
    return None


def _turns(tensor: Owned) -> Iterator[Rearrangement]:
    """Exchanges of two axes of one length, and reversals of what is not sketched by itself."""
    shape = tensor.shape
    for one in range(len(shape)):
        for other in range(one + 1, len(shape)):
            if shape[one] == shape[other] > 1:
                text = _turned(len(shape), one, other)
                yield "transposed", text, partial(torch.transpose, dim0=one, dim1=other)
    taps = [axis for axis in range(2, len(shape)) if shape[axis] > 1]
    for axes in [[axis] for axis in taps] + [taps] * (len(taps) > 1):
        yield "permuted", f"its taps reversed along {_axes(axes)}", partial(torch.flip, dims=axes)


def _turned(dimensions: int, one: int, other: int) -> str:
    if dimensions == 2:
        return "transposed"
    if (one, other) == (dimensions - 2, dimensions - 1) and dimensions > 3:
        return "height and width of the kernel exchanged"
    return f"axes {one} and {other} exchanged"


def _orders(tensor: Owned, target: Target) -> Iterator[Rearrangement]:
    """Orders along the first two axes that the sketches show, each by itself and both at once."""
    found = {}
    for axis, (wanted, seen) in enumerate(zip(target.axes, tensor.axes, strict=False)):
        if wanted is not None and (order := order_between(wanted, seen)) is not None:
            found[axis] = order
    for axis, order in found.items():
        kind, text = named(order)
        code = _code(tensor, axis, kind if kind or _mean_run(order) < 2 else "runs")
        yield (
            code,
            f"along {_axes([axis])} {text}",
            partial(torch.index_select, dim=axis, index=torch.from_numpy(order)),
        )
    if len(tensor.shape) == 2:
        yield from _both(tensor, target)


def _both(tensor: Owned, target: Target) -> Iterator[Rearrangement]:
    """A square matrix transposed and then in another order along its rows."""
    if tensor.shape[0] != tensor.shape[1] or target.axes[0] is None:
        return
    order = order_between(target.axes[0], tensor.turned[0])
    if order is not None:
        text = f"transposed, and along axis 0 {named(order)[1]}"
        yield "transposed", text, partial(_turned_rows, order=torch.from_numpy(order))


def _code(tensor: Owned, axis: int, kind: str) -> str:
    """The code for an order along an axis: more specific than ``permuted`` where the tensor's name allows it."""
    if axis == 0 and kind == "blocks" and any(word in tensor.name.lower() for word in _GATED):
        return "gate-order"
    if axis == 0 and kind == "interleaved" and projection(tensor.path) in ("query", "key"):
        return "rope-layout"
    whole = kind in ("blocks", "grid", "runs")
    return "qkv-order" if axis == 0 and whole and is_fused_projection(tensor.name) else "permuted"


def _mean_run(order: np.ndarray) -> float:
    """How many neighbours stay together on average."""
    return len(order) / (1 + int((np.diff(order) != 1).sum()))


def _turned_rows(values: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return values.t().index_select(0, order)


def _axes(axes: list[int]) -> str:
    return "axis " + " and ".join(map(str, axes))
