"""Other operations that a single claim may need: another order, interleaving, rope layout, transposition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Literal

from porting.weights.inference.claims import Claim
from porting.weights.inference.fusing import role
from porting.weights.inference.operating import Operations, between
from porting.weights.inference.units import Unit
from porting.weights.inference.words import words
from porting.weights.rules.arithmetic import Add
from porting.weights.rules.grouping import Concatenate, Split
from porting.weights.rules.layout import PermuteRope
from porting.weights.rules.operation import Operation
from porting.weights.rules.placing import At, Reorder

Change = Callable[[Claim], Claim | None]
"""A claim changed; None where the change does not fit."""

Layout = Literal["halves", "pairs"]
LAYOUTS: tuple[Layout, ...] = ("halves", "pairs")
WAYS = 4
"""How many other orders of axes are tried."""


def changes(claim: Claim, heads: Sequence[int], *, rotary: bool) -> Iterator[tuple[str, Change]]:
    """What may be tried on claims of this kind, with what it is in words."""
    parts = max(len(claim.sources), len(claim.targets))
    if parts > 1 and any(isinstance(each, (Split, Concatenate)) for each in claim.operations):
        yield from _of_parts(parts, heads, rotary=rotary)
    elif parts == 1:
        yield from _of_one(claim.targets[0], heads)


def _of_parts(parts: int, heads: Sequence[int], *, rotary: bool) -> Iterator[tuple[str, Change]]:
    for count in filter(_several, heads):
        yield f"parts interleaved in {count} groups", partial(_regrouped, count=count)
    for order in list(permutations(range(parts)))[1:]:
        yield f"parts in the order {order}", partial(_reordered, order=order)
    for layout in LAYOUTS if rotary else ():
        for one, other in _pairs(heads):
            yield (
                f"rope layout {layout} for {one} and {other} heads",
                partial(_turned_parts, layout=layout, counts={"q": one, "k": other}),
            )


def _of_one(target: Unit, heads: Sequence[int]) -> Iterator[tuple[str, Change]]:
    said = set(words(target.name))
    if {"q", "k", "v"} <= said:
        for count in filter(_several, heads):
            yield f"q, k and v interleaved by {count} heads", partial(_interleaved, count=count)
            yield f"q, k and v of {count} heads put together", partial(_separated, count=count)
    if {"gate", "up"} <= said:
        yield "gate and up exchanged", _halved
    if "norm" in target.owner.lower() and len(target.shape) == 1 and target.name.endswith("weight"):
        yield "weight plus one", partial(_added, value=1.0)
        yield "weight less one", partial(_added, value=-1.0)
    for number in range(WAYS if len(target.dims) > 1 else 0):
        yield "axes in another order", partial(_other_way, number=number)


def _several(count: int) -> bool:
    return count > 1


def rotated(claim: Claim, count: int, layout: Layout) -> Claim | None:
    """A claim about q or k with its rows in the other rope layout."""
    if claim.targets[0].shape[0] % (2 * count):
        return None
    return replace(claim, operations=(*claim.operations, PermuteRope(count, layout)))


def _pairs(heads: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers of heads of q and of k."""
    return [(one, other) for one in heads for other in heads if one >= other]


def _regrouped(claim: Claim, count: int) -> Claim | None:
    """Pieces of each head one after the other."""
    several = claim.targets if len(claim.targets) > 1 else claim.sources
    done: list[Operation] = []
    for each in claim.operations:
        if isinstance(each, (Split, Concatenate)):
            lengths = [unit.shape[each.dim] if len(unit.shape) > each.dim else 0 for unit in several]
            if any(length % count or not length for length in lengths):
                return None
            sizes = tuple(length // count for length in lengths)
            given = None if len(set(sizes)) == 1 else sizes
            split = Split(given, each.dim, count, count=None if given else len(sizes))
            done.append(split if isinstance(each, Split) else Concatenate(each.dim, count, given))
        else:
            done.append(each)
    return replace(claim, operations=tuple(done))


def _reordered(claim: Claim, order: Sequence[int]) -> Claim:
    if len(claim.targets) > 1:
        targets = tuple(claim.targets[place] for place in order)
        return replace(claim, targets=targets, operations=_resized(claim.operations, targets))
    sources = tuple(claim.sources[place] for place in order)
    return replace(claim, sources=sources, operations=_resized(claim.operations, sources))


def _resized(operations: Operations, units: Sequence[Unit]) -> Operations:
    return tuple(
        replace(each, sizes=tuple(unit.shape[each.dim] for unit in units))
        if isinstance(each, (Split, Concatenate)) and each.sizes is not None
        else each
        for each in operations
    )


def _turned_parts(claim: Claim, layout: Layout, counts: dict[str, int]) -> Claim | None:
    """Q and k, after a split or before they are joined, in the other rope layout."""
    parts = claim.targets if len(claim.targets) > 1 else claim.sources
    roles = [role(unit) for unit in parts]
    if not {"q", "k"} <= set(roles):
        return None
    lengths = [(unit.shape[0], name) for unit, name in zip(parts, roles, strict=True) if name in counts]
    if any(length % (2 * counts[name]) for length, name in lengths):
        return None
    turns = [At(place, PermuteRope(counts[name], layout)) for place, name in enumerate(roles) if name in counts]
    operations = (*claim.operations, *turns) if parts is claim.targets else (*turns, *claim.operations)
    return replace(claim, operations=operations)


def _interleaved(claim: Claim, count: int) -> Claim | None:
    """From all q, all k, all v to those of each head."""
    sizes = _thirds(claim, count)
    return None if sizes is None else replace(claim, operations=(Split(sizes), Concatenate(groups=count)))


def _separated(claim: Claim, count: int) -> Claim | None:
    """From q, k and v of each head to all q, all k, all v."""
    sizes = _thirds(claim, count)
    if sizes is None:
        return None
    split = Split(tuple(size // count for size in sizes), groups=count)
    return replace(claim, operations=(split, Concatenate()))


def _thirds(claim: Claim, count: int) -> tuple[int, ...] | None:
    length, rest = divmod(claim.targets[0].shape[0], 3)
    if rest or length % count or claim.operations or claim.sources[0].shape != claim.targets[0].shape:
        return None
    return (length,) * 3


def _halved(claim: Claim) -> Claim | None:
    shape = claim.targets[0].shape
    dim = 1 if len(shape) == 3 else 0
    if not shape or shape[dim] % 2:
        return None
    exchanged = Split((shape[dim] // 2,) * 2, dim), Reorder(1, 0), Concatenate(dim)
    return replace(claim, operations=(*claim.operations, *exchanged))


def _added(claim: Claim, value: float) -> Claim | None:
    if not claim.targets[0].name.endswith("weight"):
        return None
    return replace(claim, operations=(*claim.operations, Add(value)))


def _other_way(claim: Claim, number: int) -> Claim | None:
    ways = [way for way in between(claim.sources[0], claim.targets[0]) if way != claim.operations]
    return replace(claim, operations=ways[number]) if number < len(ways) else None
