"""Constants that a contributor would recognise: a half, the root of a width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator


def recognise(value: float, lengths: Iterable[int], tolerance: float) -> tuple[float, str] | None:
    """The exact constant that ``value`` is within a relative tolerance, and how it is written; None if it is none.

    Args:
        value: as it was fitted.
        lengths: of the axes of the tensors at hand; their roots and inverses are tried.
        tolerance: relative.
    """
    for constant, text in _candidates(lengths):
        for sign, mark in ((1.0, ""), (-1.0, "-")):
            if abs(value - sign * constant) <= tolerance * constant:
                return sign * constant, f"{mark}{text}"
    return None


def _candidates(lengths: Iterable[int]) -> Iterator[tuple[float, str]]:
    for whole in range(1, 17):
        yield float(whole), str(whole)
        yield 1 / whole, f"1/{whole}"
    yield from ((math.sqrt(2), "sqrt(2)"), (math.sqrt(0.5), "1/sqrt(2)"), (math.pi, "pi"), (1 / math.pi, "1/pi"))
    for length in sorted({each for each in lengths if each > 1}):
        yield math.sqrt(length), f"sqrt({length})"
        yield 1 / math.sqrt(length), f"1/sqrt({length})"
        yield float(length), str(length)
        yield 1 / length, f"1/{length}"
        yield length**0.25, f"{length}**(1/4)"
        yield length**-0.25, f"{length}**(-1/4)"
    for power in range(5, 17):
        yield float(2**power), str(2**power)
        yield 0.5**power, f"1/{2**power}"


def show_number(value: float) -> str:
    """A number for a sentence."""
    return f"{value:.6g}"
