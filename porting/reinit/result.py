"""What a run with new weights showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from porting.comparison.metrics import finite
from porting.diagnosis import Culprit


@dataclass(frozen=True, slots=True)
class Reinitialisation:
    """Both models with the same new weights.

    Attributes:
        seed: of the values.
        verdict: as of a verification, or ``skipped`` if no weight of one side was found on the other.
        moved: how many tensors of the port were given new values.
        left: side, name and reason of every tensor that was left alone.
        max_abs: the largest difference of an output; None if there was none to compare.
        reason: why it was skipped, or what the port raised; else empty.
        culprits: as of a verification.
    """

    seed: int
    verdict: str
    moved: int
    left: tuple[tuple[str, str, str], ...]
    max_abs: float | None = None
    reason: str = ""
    culprits: tuple[Culprit, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON."""
        return {
            "seed": self.seed,
            "verdict": self.verdict,
            "max_abs": None if self.max_abs is None else finite(self.max_abs),
            "reason": self.reason,
            "moved": self.moved,
            "left": [{"side": side, "name": name, "reason": reason} for side, name, reason in self.left],
            "culprits": [culprit.to_dict() for culprit in self.culprits],
        }
