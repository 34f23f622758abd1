"""Which array of the port's corresponds to which of the original's, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from porting.tolerance import Tolerance

FEW = 16
"""Integers that may be sizes or counts of any sort, and are paired by name alone."""


@dataclass(frozen=True, slots=True)
class ArrayPair:
    """One array on both sides, without batch axes of length 1 that one side alone has.

    Attributes:
        original_name: of the original's.
        ported_name: of the port's.
        original: values.
        ported: values.
    """

    original_name: str
    ported_name: str
    original: np.ndarray
    ported: np.ndarray

    @property
    def same_shape(self) -> bool:
        """Whether the shapes are equal."""
        return self.original.shape == self.ported.shape

    @property
    def max_abs(self) -> float:
        """The largest difference; infinite where shapes differ or a value is finite on one side alone."""
        return difference(self.original, self.ported)

    def agrees(self, tolerance: Tolerance) -> bool:
        """Whether shapes are equal, and values within the tolerance."""
        return agree(self.original, self.ported, tolerance)

    def describe(self) -> str:
        """The difference in a clause."""
        if not self.same_shape:
            return f"shape {self.ported.shape}, expected {self.original.shape}"
        return f"max abs {self.max_abs:.3g}"


def difference(original: np.ndarray, ported: np.ndarray) -> float:
    """The largest difference of two arrays; infinite where they cannot be compared, 0 where both are empty."""
    if original.shape != ported.shape:
        return float("inf")
    one, two = original.astype(np.float64), ported.astype(np.float64)
    if not np.array_equal(np.isfinite(one), np.isfinite(two)):
        return float("inf")
    with np.errstate(invalid="ignore"):
        gaps = np.abs(one - two)
    return float(np.max(gaps[np.isfinite(one)], initial=0.0))


def agree(original: np.ndarray, ported: np.ndarray, tolerance: Tolerance) -> bool:
    """Whether two arrays have one shape, and values within the tolerance."""
    return original.shape == ported.shape and bool(
        np.allclose(
            ported.astype(np.float64), original.astype(np.float64), tolerance.rtol, tolerance.atol, equal_nan=True
        )
    )


def pair_arrays(original: Mapping[str, np.ndarray], ported: Mapping[str, np.ndarray]) -> list[ArrayPair]:
    """Pair arrays by name, then by shape and content; those without a counterpart are left out.

    The original's names are its own, and the port may return more, as masks: an array of the original is paired with
    one of the port that has its name, else with the nearest of its shape, else with the only one of its sort left.
    """
    left = dict(ported)
    pairs = []
    for name in sorted(original, key=lambda each: each not in ported):
        match = name if name in left else _nearest(original[name], left)
        if match is not None:
            pairs.append(ArrayPair(name, match, *_without_batch(original[name], left.pop(match))))
    return pairs


def _nearest(array: np.ndarray, candidates: Mapping[str, np.ndarray]) -> str | None:
    floating = array.dtype.kind == "f"
    alike = {name: each for name, each in candidates.items() if (each.dtype.kind == "f") == floating}
    same = {name: difference(*_without_batch(array, each)) for name, each in alike.items()}
    shaped = [name for name, each in alike.items() if len({part.shape for part in _without_batch(array, each)}) == 1]
    if shaped and (floating or array.size > FEW):
        return min(shaped, key=lambda name: same[name])
    return next(iter(alike)) if floating and alike else None


def _without_batch(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    while one.ndim > two.ndim and one.shape[0] == 1:
        one = one[0]
    while two.ndim > one.ndim and two.shape[0] == 1:
        two = two[0]
    return one, two
