"""The tolerance that decides whether two tensors are close."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``abs(ported - original) <= atol + rtol * abs(original)``, the rule of ``allclose``; 1e-3 is the recipe's."""

    atol: float = 1e-3
    rtol: float = 1e-3

    def __str__(self) -> str:
        """As in a sentence: one number where both are equal."""
        return f"{self.atol:g}" if self.atol == self.rtol else f"atol {self.atol:g}, rtol {self.rtol:g}"
