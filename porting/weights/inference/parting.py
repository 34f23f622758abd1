"""Other parts that would fit a whole: one of several joined tensors exchanged with one that goes by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from porting.weights.inference.alternatives import Alternative, module
from porting.weights.inference.claims import Claim
from porting.weights.inference.names import parted
from porting.weights.inference.units import scope

Families = dict[object, dict[object, Claim]]
"""Claims by what they are about but for numbers, and by their layer."""


def exchanged_parts(claims: Sequence[Claim]) -> Iterator[Alternative]:
    """Alternatives in which a joined tensor and a single one beside it change places, in every layer."""
    joined, single = _families(claims, joined=True), _families(claims, joined=False)
    for wholes in joined.values():
        for others in single.values():
            if wholes.keys() == others.keys():
                pairs = [(whole, others[layer]) for layer, whole in wholes.items()]
                yield from _exchanged(pairs)


def _families(claims: Sequence[Claim], *, joined: bool) -> Families:
    found: Families = defaultdict(dict)
    for claim in claims:
        if len(claim.targets) == 1 and (len(claim.sources) > 1) == joined:
            kind = *(parted(unit.name)[0] for unit in claim.sources), parted(claim.targets[0].name)[0]
            found[kind][scope(claim.targets[0].name), parted(module(claim.targets[0]))[1]] = claim
    return found


def _exchanged(pairs: Sequence[tuple[Claim, Claim]]) -> Iterator[Alternative]:
    for place in range(len(pairs[0][0].sources)):
        if all(_beside(whole, other, place) for whole, other in pairs):
            instead = [made for whole, other in pairs for made in _swapped(whole, other, place)]
            yield Alternative("one of the parts exchanged", tuple(c for pair in pairs for c in pair), tuple(instead))


def _beside(whole: Claim, other: Claim, place: int) -> bool:
    """Whether the two tensors have one shape and lie in one module, or in modules side by side."""
    one, single = whole.sources[place], other.sources[0]
    return one.shape == single.shape and module(one).rpartition(".")[0] == module(single).rpartition(".")[0]


def _swapped(whole: Claim, other: Claim, place: int) -> tuple[Claim, Claim]:
    sources = list(whole.sources)
    sources[place], single = other.sources[0], sources[place]
    return replace(whole, sources=tuple(sources)), replace(other, sources=(single,))
