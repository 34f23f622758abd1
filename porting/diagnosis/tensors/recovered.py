"""The values that a tensor should hold, from what the original's trace says before its live tensors are asked."""

from __future__ import annotations

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.owned import Owned, axes_close, axes_of, live
from porting.diagnosis.tensors.target import Target

SURPLUS = 1.2
"""Equations for each unknown from which least squares are trusted."""
SOLVED = 1e-3
"""Relative distance of sketches of values solved from float32 outputs."""


def recovered(case: Case, tensor: Owned, target: Target) -> torch.Tensor | None:
    """The wanted values: written in the sketch, determined by the recorded calls, or those of the live original."""
    values = target.written_out()
    if values is None:
        values = _from_calls(case, tensor, target)
    return target.content(case) if values is None else values


def _from_calls(case: Case, tensor: Owned, target: Target) -> torch.Tensor | None:
    """What the culprit's recorded inputs and outputs say of its matrix."""
    gap = case.own_output
    if gap is None or tensor.path != case.path or len(tensor.shape) != 2 or target.rows is not None:
        return None
    given = [each for each in case.moment(gap).received().values() if each.dim() >= 1]
    if not given:
        return None
    if not given[0].is_floating_point():
        return _looked_up(case, tensor, target, given[0], gap.right)
    return _solved(tensor, target, given[0], gap.right, bias=len(case.info.parameters) > 1)


def _looked_up(
    case: Case, tensor: Owned, target: Target, ids: torch.Tensor, rows: torch.Tensor
) -> torch.Tensor | None:
    """A table with the rows that were looked up; None unless they have the signatures of the original's."""
    if ids.shape != rows.shape[:-1] or rows.shape[-1] != tensor.shape[1] or target.axes[0] is None:
        return None
    values = live(case.model, tensor).detach().clone()
    values[ids.reshape(-1).long()] = rows.reshape(-1, rows.shape[-1]).to(values.dtype)
    used = np.unique(ids.numpy())
    return values if axes_close((target.axes[0][used],), (axes_of(values)[0][used],)) else None


def _solved(
    tensor: Owned, target: Target, given: torch.Tensor, made: torch.Tensor, *, bias: bool
) -> torch.Tensor | None:
    """A projection by least squares; None unless there are more rows than unknowns and the sketch agrees."""
    if not given.dim() or not made.dim():
        return None
    inputs, outputs = given.shape[-1], made.shape[-1]
    if given.shape[:-1] != made.shape[:-1] or tensor.shape not in ((outputs, inputs), (inputs, outputs)):
        return None
    x, y = given.reshape(-1, inputs).double(), made.reshape(-1, outputs).double()
    if bias:
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    if len(x) < SURPLUS * x.shape[1]:
        return None
    solution: torch.Tensor = torch.linalg.lstsq(x, y).solution[:inputs]
    for values in (solution.t(), solution):
        if tuple(values.shape) == tensor.shape and axes_close(target.axes, axes_of(values), SOLVED):
            return values
    return None
