"""Other operations that would fit a family of claims as well: order, interleaving, rope layout, transposition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from porting.weights.inference.claims import Claim
from porting.weights.inference.fusing import role
from porting.weights.inference.names import Texts, parted
from porting.weights.inference.operating import Operations, between
from porting.weights.inference.units import Unit
from porting.weights.inference.words import words
from porting.weights.rules.arithmetic import Add
from porting.weights.rules.grouping import Concatenate, Split
from porting.weights.rules.layout import PermuteRope
from porting.weights.rules.parts import Each, Reorder

LAYOUTS = ("halves", "pairs")


@dataclass(frozen=True)
class Alternative:
    """Claims in the place of others.

    Attributes:
        why: what is different, in words.
        gone: the claims that are replaced.
        instead: the claims that replace them.
        plain: whether results show it by their values alone, in whatever order.
    """

    why: str
    gone: tuple[Claim, ...]
    instead: tuple[Claim, ...]
    plain: bool = False

    @property
    def targets(self) -> frozenset[str]:
        """What it changes."""
        return frozenset(name for claim in self.instead for name in claim.target_names)

    def applied(self, claims: Sequence[Claim]) -> list[Claim]:
        """The claims with these in the place of those."""
        gone = {id(claim) for claim in self.gone}
        return [*(claim for claim in claims if id(claim) not in gone), *self.instead]


def module(unit: Unit) -> str:
    """The path of the module that owns a unit."""
    return unit.name.rpartition(".")[0]


def families(claims: Sequence[Claim]) -> list[list[Claim]]:
    """The claims of one kind: the same modules but for their numbers, with weights and biases together."""
    groups: dict[object, list[Claim]] = defaultdict(list)
    for claim in claims:
        kind: tuple[Texts, ...] = tuple(parted(module(unit))[0] for unit in (*claim.sources, *claim.targets))
        groups[kind, len(claim.sources), len(claim.targets)].append(claim)
    return list(groups.values())


def other_operations(claims: Sequence[Claim], heads: Sequence[int], *, rotary: bool) -> Iterator[Alternative]:
    """All alternatives that keep what becomes of what and change how."""
    for family in families(claims):
        for ways in _ways(family[0], heads, rotary=rotary):
            instead = [_changed(claim, ways, heads) for claim in family]
            changed = [(old, new) for old, new in zip(family, instead, strict=True) if new is not None]
            if changed:
                gone, new = zip(*changed, strict=True)
                yield Alternative(ways, gone, new)
    yield from _rotated(claims, heads) if rotary else ()


def _ways(claim: Claim, heads: Sequence[int], *, rotary: bool) -> Iterator[str]:
    """The names of the changes that may be tried on a kind of claims."""
    parts = max(len(claim.sources), len(claim.targets))
    if parts > 1 and any(isinstance(each, (Split, Concatenate)) for each in claim.operations):
        yield from (f"groups {count}" for count in heads)
        yield from (f"order {','.join(map(str, order))}" for order in list(permutations(range(parts)))[1:])
        if rotary:
            yield from (
                f"rope {layout} {one} {other}"
                for layout in LAYOUTS
                for one in heads
                for other in heads
                if one >= other
            )
    if parts == 1 and len(claim.targets[0].shape) in (1, 2):
        target = claim.targets[0]
        if {"q", "k", "v"} <= set(words(target.name)) or {"qkv"} & set(words(claim.sources[0].name)):
            yield from (f"{way} {count}" for count in heads for way in ("interleave", "separate"))
        yield from (f"halves {count}" for count in (2,) if {"gate", "up"} & set(words(target.name)))
        if "norm" in target.owner.lower() and len(target.shape) == 1:
            yield from ("add 1", "add -1")
    if parts == 1:
        yield from (f"way {number}" for number in range(4))


def _changed(claim: Claim, way: str, heads: Sequence[int]) -> Claim | None:
    """The claim changed in a way; None if it does not fit it or changes nothing."""
    kind, *arguments = way.split()
    operations = _OPERATIONS[kind](claim, arguments)
    if isinstance(operations, Claim):
        return operations
    return None if operations is None or operations == claim.operations else replace(claim, operations=operations)


def _regrouped(claim: Claim, arguments: list[str]) -> Operations | None:
    """Pieces of each head one after the other."""
    count = int(arguments[0])
    several = claim.targets if len(claim.targets) > 1 else claim.sources
    done = []
    for each in claim.operations:
        if isinstance(each, (Split, Concatenate)):
            lengths = [unit.shape[each.dim] if len(unit.shape) > each.dim else 0 for unit in several]
            if any(length % count or not length for length in lengths):
                return None
            sizes = tuple(length // count for length in lengths)
            equal = len(set(sizes)) == 1
            given = None if equal else sizes
            done.append(
                Split(given, each.dim, count, count=len(sizes) if equal else None)
                if isinstance(each, Split)
                else Concatenate(each.dim, count, given)
            )
        else:
            done.append(each)
    return tuple(done)


def _reordered(claim: Claim, arguments: list[str]) -> Claim:
    """The parts in another order."""
    order = [int(place) for place in arguments[0].split(",")]
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


def _turned_parts(claim: Claim, arguments: list[str]) -> Operations | None:
    """Q and k of a split in the other rope layout."""
    layout, one, other = arguments
    counts = {"q": int(one), "k": int(other)}
    roles = [role(unit) for unit in claim.targets]
    shapes = [unit.shape for unit in claim.targets]
    fits = all(shape[0] % (2 * counts[name]) == 0 for name, shape in zip(roles, shapes, strict=True) if name in counts)
    if len(claim.targets) < 2 or not {"q", "k"} <= set(roles) or not fits:
        return None
    turns = [PermuteRope(counts[name], layout) if name in counts else None for name in roles]  # type: ignore[arg-type]
    return (*claim.operations, Each(*turns))


def _interleaved(claim: Claim, arguments: list[str]) -> Operations | None:
    """From all q, all k, all v to those of each head."""
    sizes = _thirds(claim, int(arguments[0]))
    return None if sizes is None else (Split(sizes), Concatenate(groups=int(arguments[0])))


def _separated(claim: Claim, arguments: list[str]) -> Operations | None:
    """From q, k and v of each head to all q, all k, all v."""
    count, sizes = int(arguments[0]), _thirds(claim, int(arguments[0]))
    return None if sizes is None else (Split(tuple(size // count for size in sizes), groups=count), Concatenate())


def _thirds(claim: Claim, count: int) -> tuple[int, ...] | None:
    length, rest = divmod(claim.targets[0].shape[0], 3)
    if rest or length % count or claim.operations or claim.sources[0].shape != claim.targets[0].shape:
        return None
    return (length,) * 3


def _halved(claim: Claim, arguments: list[str]) -> Operations | None:
    """The two halves exchanged: gate and up."""
    shape = claim.targets[0].shape
    dim = 1 if len(shape) == 3 else 0
    return (
        None
        if shape[dim] % 2
        else (*claim.operations, Split((shape[dim] // 2,) * 2, dim), Reorder(1, 0), Concatenate(dim))
    )


def _added(claim: Claim, arguments: list[str]) -> Operations | None:
    return (*claim.operations, Add(float(arguments[0]))) if claim.targets[0].name.endswith("weight") else None


def _other_way(claim: Claim, arguments: list[str]) -> Operations | None:
    ways = [way for way in between(claim.sources[0], claim.targets[0]) if way != claim.operations]
    number = int(arguments[0])
    return ways[number] if number < len(ways) else None


_OPERATIONS = {
    "groups": _regrouped,
    "order": _reordered,
    "rope": _turned_parts,
    "interleave": _interleaved,
    "separate": _separated,
    "halves": _halved,
    "add": _added,
    "way": _other_way,
}


def _rotated(claims: Sequence[Claim], heads: Sequence[int]) -> Iterator[Alternative]:
    """Q and k, each from a tensor of its own, in the other rope layout."""
    told = {
        name: [c for c in claims if len(c.targets) == 1 and role(c.targets[0]) == name and not _is_norm(c)]
        for name in "qk"
    }
    for layout in LAYOUTS:
        for one in heads if told["q"] and told["k"] else ():
            for other in (count for count in heads if count <= one):
                turned = [
                    (c, _rope(c, count, layout)) for name, count in (("q", one), ("k", other)) for c in told[name]
                ]
                if all(new is not None for _, new in turned):
                    gone, instead = zip(*turned, strict=True)
                    yield Alternative(f"rope {layout} {one} {other}", gone, instead)


def _rope(claim: Claim, count: int, layout: str) -> Claim | None:
    if claim.targets[0].shape[0] % (2 * count):
        return None
    return replace(claim, operations=(*claim.operations, PermuteRope(count, layout)))  # type: ignore[arg-type]


def _is_norm(claim: Claim) -> bool:
    return "norm" in claim.targets[0].owner.lower()
