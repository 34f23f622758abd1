"""Tables of cosines and sines of positions times frequencies, as rotary embeddings use them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from porting.diagnosis.modules.functions import rounded

REPEATS = ("as it is", "halves", "pairs")
"""How the frequencies fill the last axis: once, twice one after the other, each twice."""
STRAIGHT = 1e-3
"""Largest deviation of log frequencies from a straight line: one theta for all."""


@dataclass(frozen=True, slots=True)
class Table:
    """What one tensor of a rotary module is: ``scale * function(positions * frequencies)``.

    Attributes:
        function: ``cos`` or ``sin``.
        repeat: one of `REPEATS`.
        scale: the factor.
    """

    function: str
    repeat: str
    scale: float

    def apply(self, positions: torch.Tensor, frequencies: torch.Tensor) -> torch.Tensor:
        """The table for positions of any shape: (..., width)."""
        angles = positions.float()[..., None] * frequencies.float()
        if self.repeat == "halves":
            angles = torch.cat((angles, angles), dim=-1)
        elif self.repeat == "pairs":
            angles = angles.repeat_interleave(2, dim=-1)
        return self.scale * (angles.cos() if self.function == "cos" else angles.sin())

    def columns(self, table: torch.Tensor) -> torch.Tensor:
        """One column for each frequency of a table, without the factor."""
        width = table.shape[-1]
        taken = {"as it is": table, "halves": table[..., : width // 2], "pairs": table[..., ::2]}[self.repeat]
        return taken.double()


def recovered(angles: torch.Tensor, positions: torch.Tensor) -> torch.Tensor | None:
    """The frequencies behind angles that are known up to whole turns; None if the positions leave them open.

    Each position says more exactly than the one before what the frequency is, as long as the gaps are small enough
    for the number of turns to follow from the positions before.

    Args:
        angles: (positions, frequencies), any branch.
        positions: of the rows; one must be 1.
    """
    order = torch.argsort(positions)
    turn, found = 2 * math.pi, None
    for place in order.tolist():
        position = float(positions[place])
        if position < 1:
            continue
        angle = angles[place].remainder(turn)
        if found is None:
            if position != 1:
                return None
            found = torch.where(angle > turn - 1e-4, torch.zeros_like(angle), angle)
        else:
            turns = ((found * position - angle) / turn).round()
            found = (angle + turns * turn) / position
    return found


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Frequencies in short: powers of one theta times a factor, or of no simple form (theta None)."""

    theta: float | None
    factor: float

    @classmethod
    def of(cls, frequencies: torch.Tensor) -> Spectrum:
        """The theta and factor that make these frequencies."""
        values = frequencies.detach().double()
        if len(values) < 2 or bool((values <= 0).any()):
            return cls(None, 1.0)
        logs, steps = values.log(), torch.arange(len(values), dtype=torch.float64)
        slope = (logs[-1] - logs[0]) / steps[-1]
        line = logs[0] + slope * steps
        if float((logs - line).abs().max()) > STRAIGHT:
            return cls(None, 1.0)
        return cls(rounded(math.exp(-float(slope) * len(values)), 2e-3), rounded(math.exp(float(logs[0])), 1e-4))

    def frequencies(self, count: int) -> torch.Tensor:
        """So many of them, float32."""
        steps = torch.arange(0, 2 * count, 2, dtype=torch.int64).float() / (2 * count)
        return self.factor / (self.theta or 1.0) ** steps

    def __str__(self) -> str:
        """In print."""
        if self.theta is None:
            return "frequencies scaled unevenly"
        return f"theta {self.theta:g}" + (f" and frequencies times {self.factor:g}" if self.factor != 1 else "")
