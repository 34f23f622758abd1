"""The noise floor: how large a difference float rounding alone explains at one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from porting.comparison import TensorComparison
from porting.tolerance import Tolerance

FACTOR = 10.0
"""A difference counts as more than rounding from this multiple of the floor.

The floor is the port's own rounding; the original, which rounds in another order, has as much, and a sum of two such
errors stays within a few times one. Wrong constants show from a few tens upwards.
"""
ULPS = 4.0
"""Least floor in units of rounding of the largest element: the last bits of a result are nobody's fault."""
ESTIMATE = 8.0
"""Multiple of the least floor that is taken where the rounding could not be measured."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What rounding explains: the largest single difference, and the L2 norm of all of them."""

    max_abs: float
    l2: float

    def ratio(self, numbers: TensorComparison) -> float | None:
        """How many times the floor a difference is, by the measure that stands out more; None for a floor of 0."""
        if not self.max_abs or not self.l2:
            return None
        return max(numbers.max_abs / self.max_abs, numbers.l2 / self.l2)

    def exceeded_by(self, numbers: TensorComparison) -> bool:
        """Whether a difference is more than rounding."""
        if not numbers.comparable:
            return numbers.original_shape != numbers.ported_shape
        ratio = self.ratio(numbers)
        return numbers.max_abs > 0 if ratio is None else ratio > FACTOR


def floor_of(
    numbers: TensorComparison, rounding: tuple[float, float] | None, tolerance: Tolerance, *, exact: bool
) -> Floor:
    """The floor at one place.

    Args:
        numbers: the comparison there, for the scale of the values.
        rounding: largest and L2 difference between the port's own result and its float64 result on the same inputs;
            None if it could not be measured.
        tolerance: a floor never hides a difference that fails it.
        exact: a look-up, which does not round: the floor is 0.
    """
    dtype = getattr(torch, numbers.dtypes[1])
    if exact or not dtype.is_floating_point:
        return Floor(0.0, 0.0)
    unit = torch.finfo(dtype).eps / 2
    least = ULPS * unit * numbers.scale
    least_l2 = ULPS * unit * numbers.reference_l2
    if rounding is None or not all(map(math.isfinite, rounding)):
        rounding = (ESTIMATE * least, ESTIMATE * least_l2)
    largest, l2 = rounding
    most = (tolerance.atol + tolerance.rtol * numbers.scale) / FACTOR
    share = min(1.0, most / largest) if largest else 1.0
    return Floor(max(largest * share, least), max(l2 * share, least_l2))
