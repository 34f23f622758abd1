"""The noise floor: how large a difference float rounding alone explains at one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from porting.comparison import Positions, TensorComparison, compare_tensors
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import Trace

FACTOR = 5.0
"""A difference counts as more than rounding from this multiple of the floor.

The floor is the port's own rounding; the original, which rounds in another order, has as much, and a sum of two such
errors stays within a few times one. In right ports (eight pairs of independent implementations, eager and fused
attention, one thread and two, half precisions and float64; norms, activations, convolutions and sums written by hand
against torch's own) the largest multiple found was 2.3. Wrong constants show from a few units upwards.
"""
RARE = 2e-4
"""How rarely a few elements may round by so little, by luck, that an equal rounding is taken for more.

Of two errors of ``n`` elements that are equally large on average, one is more than ``k`` times the other with a
probability of about ``k ** -n`` for a large ``k``.
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
    numbers: TensorComparison,
    rounding: tuple[float, float] | None,
    tolerance: Tolerance,
    *,
    exact: bool,
    original: tuple[float, float] | None = None,
    lowered: bool = False,
) -> Floor:
    """The floor at one place.

    Where the original's own rounding is known, the larger of the two is taken and not their sum. Two right results
    differ by at most the sum, which is at most twice the larger, and `FACTOR` has room for that. A sum would double
    every floor where both round alike, so that a trace with measurements would show fewer faults than one without.
    The larger one raises a floor only where the original rounds more than the port, as a variance does that is taken
    as a difference of squares, and never lowers one.

    Args:
        numbers: the comparison there, for the scale of the values.
        rounding: largest and L2 difference between the port's own result and its float64 result on the same inputs;
            None if it could not be measured; in a result in float64 it is that of what the model does in float32 on
            purpose, if it does, and then the original may do more of that.
        tolerance: a floor never hides a difference that fails it.
        exact: a look-up, which does not round: the floor is 0.
        original: the same as ``rounding`` for the original, where its trace says it (``float64`` noise).
        lowered: the port computes in a lower precision here than its tensors have, and the original does not.
    """
    dtype = getattr(torch, numbers.dtypes[0 if lowered else 1])
    if exact or not dtype.is_floating_point:
        return Floor(0.0, 0.0)
    least, least_l2 = _last_bits(numbers, dtype)
    measured = rounding is not None and all(map(math.isfinite, rounding))
    known = rounding if rounding is not None and measured else (0.0, 0.0)
    if dtype is torch.float64 and known[0] > ESTIMATE * least:
        least32 = _last_bits(numbers, torch.float32)
        known = max(known[0], least32[0]), max(known[1], least32[1])
    elif dtype is torch.float64 or not measured:
        known = ESTIMATE * least, ESTIMATE * least_l2
    luck = max(1.0, RARE ** (-1 / max(1, numbers.elements)) / FACTOR) if measured else 1.0
    largest, l2 = (luck * max(pair) for pair in zip(known, original or (0.0, 0.0), strict=True))
    most = tolerance.allowance(numbers.scale) / FACTOR
    share = min(1.0, most / largest) if largest else 1.0
    return Floor(max(largest * share, least), max(l2 * share, least_l2))


def least_wrong(numbers: TensorComparison, tolerance: Tolerance) -> float:
    """The difference over which a place is wrong however much it rounds: it fails the tolerance."""
    dtypes = [dtype for name in numbers.dtypes if (dtype := getattr(torch, name)).is_floating_point]
    bits = max((_last_bits(numbers, dtype)[0] for dtype in dtypes), default=0.0)
    return max(tolerance.allowance(numbers.scale), FACTOR * bits)


def _last_bits(numbers: TensorComparison, dtype: torch.dtype) -> tuple[float, float]:
    """A few units of rounding, of the largest element and of all of them."""
    unit = ULPS * torch.finfo(dtype).eps / 2
    return unit * numbers.scale, unit * numbers.reference_l2


WAYS = {
    "threads": "with another number of threads",
    "batch": "when each row of the inputs runs by itself",
}
"""The noise of a whole run, which reaches its final outputs."""


def noise_warnings(original: Trace, tolerance: Tolerance) -> tuple[tuple[str, str], ...]:
    """Code and message if the original's own final outputs move by more than the tolerance allows anywhere."""
    positions = Positions.of(original)
    texts = []
    for leaf in original.outputs.tensor_leaves():
        moved = {kind: pair[0] for kind, pair in (leaf.noise or {}).items() if kind in WAYS}
        if not any(moved.values()):
            continue
        tensor = original.tensor(leaf)
        allowed = tolerance.allowance(compare_tensors(tensor, tensor, tolerance, positions.mask(tensor)).scale)
        name = show(leaf.name or "the output")
        texts += [f"{name} moves by {by:.2g} {WAYS[kind]}" for kind, by in moved.items() if by > allowed]
    if not texts:
        return ()
    text = f"the original alone: {'; '.join(texts[:6])}; a difference of that size says nothing about the port"
    return (("original-noisy", text),)
