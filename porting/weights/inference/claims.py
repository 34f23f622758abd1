"""A claim: that these tensors of the port are made of those of the checkpoint in this way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from porting.weights.inference.units import Unit

if TYPE_CHECKING:
    from porting.weights.rules.operation import Operation

CERTAIN, LIKELY, GUESS = "certain", "likely", "guess"
BOUNDS = ((0.95, CERTAIN), (0.6, LIKELY))


@dataclass(frozen=True, slots=True)
class Claim:
    """What becomes of what.

    Attributes:
        sources: of the checkpoint, in the order in which the operations take them.
        targets: of the port, in the order in which the operations give them.
        operations: what is done in between; none for a renaming.
        confidence: 0 to 1.
        evidence: why, in words.
    """

    sources: tuple[Unit, ...]
    targets: tuple[Unit, ...]
    operations: tuple[Operation, ...] = ()
    confidence: float = 0.0
    evidence: tuple[str, ...] = ()

    @property
    def source_names(self) -> list[str]:
        """All names of the checkpoint."""
        return [name for unit in self.sources for name in unit.members]

    @property
    def target_names(self) -> list[str]:
        """All names of the port."""
        return [name for unit in self.targets for name in unit.members]


def confidence_word(confidence: float) -> str:
    """``certain``, ``likely`` or ``guess``."""
    return next((word for bound, word in BOUNDS if confidence >= bound), GUESS)
