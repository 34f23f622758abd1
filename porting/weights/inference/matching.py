"""One assignment of the checkpoint's tensors to the port's, repeated with what the last one made known."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from porting.assignment import assign
from porting.weights.inference.likeness import Likeness
from porting.weights.inference.units import Unit
from porting.weights.inference.words import leaf

ROUNDS = 6
LEAST = 3.2
"""The score below which a pair of tensors of one shape is no pair."""


def matched(
    likeness: Likeness, sources: Collection[Unit], targets: Collection[Unit], known: Sequence[tuple[Unit, Unit]] = ()
) -> list[tuple[Unit, Unit]]:
    """Pair tensors of the same dimensions, in whatever order, each at most once; matrices before vectors.

    Args:
        likeness: how alike they are; it learns from the pairs.
        sources: the checkpoint's that are free.
        targets: the port's that are free.
        known: pairs that are settled, which say something of their neighbours.
    """
    pairs: list[tuple[Unit, Unit]] = []
    for number in range(ROUNDS):
        likeness.learn([*known, *pairs])
        found = _round(likeness, sources, [unit for unit in targets if _stage(unit) <= number])
        if found == pairs and number > 1:
            break
        pairs = found
    likeness.learn([*known, *pairs])
    return pairs


def _stage(unit: Unit) -> int:
    """In which round a tensor takes part first: matrices, then vectors, then what stands beside them."""
    return 0 if len(unit.dims) > 1 else 2 if leaf(unit.name) == "bias" else 1


def _round(likeness: Likeness, sources: Collection[Unit], targets: Collection[Unit]) -> list[tuple[Unit, Unit]]:
    pairs = []
    for key in dict.fromkeys(unit.key for unit in targets):
        ones = [unit for unit in sources if unit.key == key]
        others = [unit for unit in targets if unit.key == key]
        if ones:
            table = likeness.table(ones, others)
            chosen = assign(np.maximum(table - LEAST, 0.0), maximize=True)
            pairs += [(ones[row], others[column]) for row, column in chosen if table[row, column] > LEAST]
    return pairs
