"""All mutants."""

from __future__ import annotations

from mutants import attention, blocks, convolutions, modes, norms, positions, weights
from mutants.mutant import MUTANTS as SEEDED
from mutants.mutant import Mutant
from pairs.catalogue import NAMES

__all__ = ["FILES", "MUTANTS", "of"]

FILES = (attention, blocks, convolutions, modes, norms, positions, weights)
MUTANTS = [mutant for mutant in SEEDED if mutant.pair in NAMES]


def of(pair: str) -> list[Mutant]:
    """The mutants of one pair."""
    return [mutant for mutant in MUTANTS if mutant.pair == pair]
