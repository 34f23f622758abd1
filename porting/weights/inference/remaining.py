"""What neither shapes nor sizes pair at once: axes split or merged, rows left out, weight norms to be folded."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from porting.assignment import assign
from porting.weights.inference.claims import Claim
from porting.weights.inference.likeness import Likeness
from porting.weights.inference.operating import between
from porting.weights.inference.turning import Turning
from porting.weights.inference.units import Unit
from porting.weights.inference.words import leaf, words
from porting.weights.rules.arithmetic import FoldWeightNorm
from porting.weights.rules.layout import Slice

LEAST = 2.2
"""The likeness of names below which tensors of one size are no pair."""


def reshaped(
    likeness: Likeness, sources: Collection[Unit], targets: Collection[Unit], turning: Turning
) -> list[Claim]:
    """Tensors of as many elements, whose axes are split or merged."""
    claims = []
    for size in dict.fromkeys(unit.numel for unit in targets if len(unit.dims) > 0):
        ones = [unit for unit in sources if unit.numel == size]
        others = [unit for unit in targets if unit.numel == size]
        for one, other in _paired(likeness, ones, others):
            ways = list(between(one, other))
            if ways:
                way = turning.way(other, ways)
                claims.append(Claim((one,), (other,), way, 0.5, ("names and number of elements",)))
    return claims


def lonely(likeness: Likeness, sources: Collection[Unit], targets: Collection[Unit]) -> list[Claim]:
    """What is left on both sides with the same dimensions, whatever the names: a guess."""
    claims = []
    for key in dict.fromkeys(unit.key for unit in targets if unit.dims):
        ones, others = ([unit for unit in side if unit.key == key] for side in (sources, targets))
        for one, other in _paired(likeness, ones, others, least=-10.0):
            way = next(between(one, other), None)
            if way is not None:
                claims.append(Claim((one,), (other,), way, 0.2, ("nothing else of these dimensions is left",)))
    return claims


def resized(likeness: Likeness, sources: Collection[Unit], targets: Collection[Unit]) -> list[Claim]:
    """Tables of which the port holds a part of the rows: positions without an offset, words without padding."""
    claims = []
    for target in targets:
        fitting = [one for one in sources if _longer(one, target)]
        for one, other in _paired(likeness, fitting, [target]):
            extra = one.shape[0] - other.shape[0]
            offset = "position" in words(other.name) and extra <= 2
            way = Slice(start=extra) if offset else Slice(stop=other.shape[0])
            why = f"names; {extra} rows more than the port has, {'the first' if offset else 'the last'} left out"
            claims.append(Claim((one,), (other,), (way,), 0.3, (why,)))
    return list({claim.sources[0].name: claim for claim in reversed(claims)}.values())


def _longer(source: Unit, target: Unit) -> bool:
    return (
        len(source.shape) == len(target.shape) == 2
        and source.shape[1] == target.shape[1]
        and source.shape[0] > target.shape[0]
        and "embed" in words(target.name)
    )


def refolded(claims: Sequence[Claim], free: Collection[Unit]) -> list[Claim]:
    """The claims with magnitude and direction folded where the port holds the weight itself."""
    magnitudes = {unit.name.rsplit(".", 1)[0]: unit for unit in free if leaf(unit.name) == "g"}
    done = []
    for claim in claims:
        (source, *more), (target, *others) = claim.sources, claim.targets
        magnitude = magnitudes.get(source.name.rsplit(".", 1)[0])
        if magnitude is None or more or others or leaf(source.name) != "v" or leaf(target.name) == "v":
            done.append(claim)
            continue
        dim = next((at for at, size in enumerate(magnitude.shape) if size != 1), 0)
        why = ("a weight norm on one side only", *claim.evidence)
        done.append(Claim((magnitude, source), (target,), (FoldWeightNorm(dim), *claim.operations), 0.7, why))
    return done


def _paired(
    likeness: Likeness, ones: Sequence[Unit], others: Sequence[Unit], least: float = LEAST
) -> list[tuple[Unit, Unit]]:
    if not ones or not others:
        return []
    table = likeness.known(ones, others)
    chosen = assign(np.maximum(table - least, 0.0), maximize=True)
    return [(ones[row], others[column]) for row, column in chosen if table[row, column] > least]
