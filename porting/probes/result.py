"""What one probe showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from porting.comparison import NamedComparison
from porting.comparison.metrics import finite
from porting.diagnosis import Culprit

ORDER = ("match", "suspicious", "inconclusive", "mismatch")
SKIPPED = "skipped"


def worst(*verdicts: str) -> str:
    """The worst of some verdicts; what was skipped does not count."""
    return max((verdict for verdict in verdicts if verdict != SKIPPED), key=ORDER.index)


class Verified(Protocol):
    """What is asked of a verification, or of anything else that holds the two models against each other."""

    @property
    def verdict(self) -> str:
        """As of a verification."""

    @property
    def outputs(self) -> tuple[NamedComparison, ...]:
        """The final outputs."""

    @property
    def culprits(self) -> tuple[Culprit, ...]:
        """Modules with a fault of their own."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Both models on generated inputs.

    Attributes:
        name: a stable word in kebab-case.
        description: what the inputs are.
        verdict: as of a verification, or ``skipped``.
        max_abs: the largest difference of an output; None if there was none to compare.
        reason: why it was skipped, or what the port raised; else empty.
        culprits: as of a verification.
    """

    name: str
    description: str
    verdict: str
    max_abs: float | None = None
    reason: str = ""
    culprits: tuple[Culprit, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The probe as JSON."""
        return {
            "name": self.name,
            "description": self.description,
            "verdict": self.verdict,
            "max_abs": None if self.max_abs is None else finite(self.max_abs),
            "reason": self.reason,
            "culprits": [culprit.to_dict() for culprit in self.culprits],
        }
