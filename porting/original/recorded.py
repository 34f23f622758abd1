"""The inputs that a trace was recorded on: for a port that is run on the same, or held against those of today."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from porting.errors import PortfileError, TraceError
from porting.runs import Inputs
from porting.text import show
from porting.trace import Leaf, Trace, flatten

if TYPE_CHECKING:
    from porting.trace.parts import Scalar

POSITIONAL = re.compile(r"args\.\d+")
"""The names that positional arguments have in a trace."""
NOT_FINITE: dict[Scalar, Scalar] = {text: float(text) for text in ("nan", "inf", "-inf")}
"""Numbers that a trace holds as text, as JSON has none of them.

A trace does not tell them from the same three words as text. They are read as numbers: an unbounded setting is a more
likely input than one of these words, and code that wanted a word refuses a number.
"""
INSTEAD = "def inputs(): return {...}"


def recorded_inputs(trace: Trace) -> Inputs:
    """What a recorded run was given; the words nan, inf and -inf are taken for the numbers.

    Raises:
        TraceError: nothing was recorded, or an input is of a kind that a trace does not hold.
    """
    if not trace.inputs.leaves:
        raise TraceError("the trace does not say what the run was given", hint=f"add to the portfile: {INSTEAD}")
    for leaf in trace.inputs.leaves:
        if leaf.type_name is not None:
            raise TraceError(
                f"the trace does not hold its input {show(leaf.name)} ({show(leaf.type_name)})",
                hint=f"the port cannot run on the recorded inputs; add to the portfile: {INSTEAD}",
            )
    leaves = [replace(leaf, value=NOT_FINITE.get(leaf.value, leaf.value)) for leaf in trace.inputs.leaves]
    named = dict(trace.value(replace(trace.inputs, leaves=tuple(leaves))))
    args = tuple(named.pop(name) for name in list(named) if POSITIONAL.fullmatch(name))
    return Inputs(args, named)


def require_accepted(model: torch.nn.Module, inputs: Inputs) -> None:
    """Refuse recorded inputs that the port's forward takes under other names.

    Raises:
        PortfileError: it does not take them, or takes none of their names but as one of ``**kwargs``.
    """
    signature = inspect.signature(model.forward)
    try:
        signature.bind(*inputs.args, **inputs.kwargs)
        misfit = "" if inputs.args or set(inputs.kwargs) & set(signature.parameters) else "no such names"
    except TypeError as error:
        misfit = str(error)
    if misfit:
        taken = ", ".join(name for name in signature.parameters if name not in ("args", "kwargs"))
        raise PortfileError(
            f"the port cannot run on the recorded inputs {', '.join(map(show, inputs.named()))}: its forward takes "
            f"{show(taken, 300) or 'nothing'} ({show(misfit)})",
            hint="add to the portfile what passes them on: def run_ported(model, inputs): "
            f'return model(name=inputs["{show(next(iter(inputs.named())))}"])',
        )


def require_same(trace: Trace, inputs: Inputs) -> None:
    """Refuse a recorded trace that ran on another value of an input of the same name.

    Raises:
        TraceError: it did.
    """
    now = dict(flatten(inputs.named())[1])
    for leaf in trace.inputs.leaves:
        if leaf.name in now and not _same(trace, leaf, now[leaf.name]):
            raise TraceError(
                f"the recorded trace ran on another {show(leaf.name)} than the portfile gives today",
                hint="record it again with these inputs: porting capture --side original (or leave inputs() out: then "
                "the port runs on the recorded ones)",
            )


def _same(trace: Trace, leaf: Leaf, now: Any) -> bool:
    """Whether a recorded input is what is given today; what cannot be compared counts as the same."""
    if leaf.tensor is not None and isinstance(now, torch.Tensor):
        recorded, now = trace.tensor(leaf), now.detach().cpu()
        return recorded.shape == now.shape and bool(torch.isclose(*_alike(recorded, now), 0, 0, equal_nan=True).all())
    if leaf.tensor is None and leaf.type_name is None and isinstance(now, (bool, int, float, str)):
        return now == leaf.value or str(now) == leaf.value
    return True


def _alike(one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tensors in a dtype that holds both."""
    dtype = torch.promote_types(one.dtype, other.dtype)
    return one.to(dtype), other.to(dtype)
