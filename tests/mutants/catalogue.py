"""All mutants."""

from __future__ import annotations

from mutants import (
    attention,
    blocks,
    convolutions,
    modes,
    norms,
    positions,
    routing,
    states,
    towers,
    weights,
    windows,
)
from mutants.mutant import MUTANTS, Mutant

__all__ = ["FILES", "MUTANTS", "of"]

FILES = (attention, blocks, convolutions, modes, norms, positions, routing, states, towers, weights, windows)


def of(pair: str) -> list[Mutant]:
    """The mutants of one pair."""
    return [mutant for mutant in MUTANTS if mutant.pair == pair]
