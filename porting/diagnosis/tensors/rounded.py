"""Tensors that were rounded to a dtype of fewer bits on the way, on either side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.explained import Explained
from porting.diagnosis.tensors.owned import Owned, away, live, tensors_of_trace
from porting.diagnosis.tensors.recovered import recovered
from porting.diagnosis.tensors.target import Target

STEPS = {"bfloat16": 2.0**-9, "float16": 2.0**-12}
"""Largest relative rounding error of one value, by dtype: the coarsest first."""
SLACK = 6.0
"""Multiple of it by which sketches may be apart: signatures of short axes happen to be small."""
SAMPLE = 1 << 12
"""Values of each of the other tensors that are looked at."""


def explained_by_rounding(case: Case, tensor: Owned, target: Target) -> Explained | None:
    """``dtype-cast``, if one side has the other's values rounded."""
    values = live(case.model, tensor).detach()
    if not values.is_floating_point() or tensor.is_constant:
        return None
    if (dtype := _low(values)) is not None and _is_near(tensor, target, dtype):
        summary = (
            f"{tensor.name} has the values of the original's {target.name} rounded to {dtype}"
            f"{_extent(case, tensor, dtype)}"
        )
        fix = f"convert and save {tensor.name} in the original's {target.source.info.dtype}, not by way of {dtype}"
        return Explained("dtype-cast", tensor, summary, fix, recovered(case, tensor, target))
    for dtype in STEPS:
        rounded = values.to(getattr(torch, dtype)).to(values.dtype)
        if _is_near(tensor, target, dtype) and target.met_by(rounded):
            summary = f"{tensor.name} is {tensor.info.dtype}, the original's {target.name} is rounded to {dtype}"
            return Explained("dtype-cast", tensor, summary, f"round {tensor.name} to {dtype} first", rounded)
    return None


def _low(values: torch.Tensor) -> str | None:
    """The coarsest dtype that holds all the values exactly, if that is a narrower one than their own."""
    if values.dtype in (torch.bfloat16, torch.float16):
        return str(values.dtype).removeprefix("torch.")
    for dtype in STEPS:
        if torch.equal(values.to(getattr(torch, dtype)).to(values.dtype), values):
            return dtype
    return None


def _is_near(tensor: Owned, target: Target, dtype: str) -> bool:
    """Whether the sketches are as close as that rounding leaves them."""
    known = [(a, b) for a, b in zip(target.axes, tensor.axes, strict=False) if a is not None]
    if not known or any(a.shape != b.shape for a, b in known):
        return False
    wanted, seen = (np.concatenate([pair[side] for pair in known]) for side in (0, 1))
    return away(wanted, seen) <= SLACK * STEPS[dtype]


def _extent(case: Case, tensor: Owned, dtype: str) -> str:
    """How many of the port's tensors are so, if others are."""
    others = [each for each in _floating(case) if each.name != tensor.name]
    alike = sum(_low(live(case.model, each).detach().reshape(-1)[:SAMPLE]) == dtype for each in others)
    if not alike:
        return ""
    return f", as are all {alike + 1} of the port" if alike == len(others) else f", as are {alike} more of the port"


def _floating(case: Case) -> Iterator[Owned]:
    for each in tensors_of_trace(case.ported):
        if each.info.dtype.startswith("float") and each.info.kind == "parameter" and not each.is_constant:
            yield each
