"""The tolerance that decides whether two tensors are close."""

from __future__ import annotations

import math
from dataclasses import dataclass

from porting.errors import ToleranceError


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``abs(ported - original) <= atol + rtol * abs(original)``, the rule of ``allclose``; 1e-3 is the recipe's."""

    atol: float = 1e-3
    rtol: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse what would let anything pass.

        Raises:
            ToleranceError: a number is negative, infinite or not a number.
        """
        for name, value in (("atol", self.atol), ("rtol", self.rtol)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise ToleranceError(f"{name} must be a finite number of at least 0, and is {value!r}")

    def allowance(self, size: float) -> float:
        """The largest difference that passes at an element of absolute value ``size``."""
        return self.atol + self.rtol * size

    def __str__(self) -> str:
        """As in a sentence: one number where both are equal."""
        return f"{self.atol:g}" if self.atol == self.rtol else f"atol {self.atol:g}, rtol {self.rtol:g}"
