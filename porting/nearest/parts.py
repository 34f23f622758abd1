"""Tensors of one side that are one on the other: q, k and v; gate and up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from porting.nearest.cells import Held, Shape
from porting.nearest.fits import Binding, Open, Placing, Side
from porting.nearest.naming import contrary
from porting.weights.inference.words import block, words

MOST_PARTS = 8
"""Tensors beside each other of which one may be made."""
JOINED = tuple(map(frozenset, (("q", "k", "v"), ("k", "v"), ("q", "k"), ("gate", "up"))))
PARTS: frozenset[str] = frozenset().union(*JOINED)


class Sure(Enum):
    """How sure it must be that tensors are the parts of one."""

    SIZED = "their sizes are known and add up"
    NAMED = "or else the name of the whole says so"
    GUESSED = "or else they are of one kind"


def joined(free: Side, wanted: Side, binding: Open, sure: Sure) -> list[Placing]:
    """Tensors of one side that are one on the other: q, k and v, gate and up.

    Args:
        free: the checkpoint's.
        wanted: the architecture's.
        binding: the sizes that are known; sizes that must be are added.
        sure: how sure parts must be.
    """
    found = []
    for whole_side, part_side, splits in ((free, wanted, True), (wanted, free, False)):
        families = _families(part_side)
        for whole in whole_side.left() if families else ():
            for family in families:
                named = _named(whole, family)
                solved = None if named is None else _adds_up(whole, family.parts, binding, splits=splits)
                if solved is not None and (not solved or sure is Sure.GUESSED or (named and sure is Sure.NAMED)):
                    binding.update({size: (value,) for size, value in solved.items()})
                    sources, targets = ((whole,), family.parts) if splits else (family.parts, (whole,))
                    found.append(Placing(sources, targets, "split" if splits else "joined"))
                    whole_side.take(whole)
                    for part in family.parts:
                        part_side.take(part)
                    families = _families(part_side)
                    break
    return found


@lru_cache(maxsize=1 << 17)
def told_apart(one: str, other: str, sure: Sure) -> bool:
    """Whether one of two names is that of several parts, and the other of fewer; of none, where nothing is a guess."""
    left, right = _parts(one), _parts(other)
    fewer = max(len(left), len(right)) > 1 and left != right
    return fewer and (sure is not Sure.GUESSED or bool(left and right))


@lru_cache(maxsize=1 << 17)
def other_part(one: str, other: str) -> bool:
    """Whether one of two names is that of a part, and the other of something else, or of another part."""
    return _parts(one) != _parts(other)


@lru_cache(maxsize=1 << 17)
def of_other_modules(one: str, other: str) -> bool:
    """Whether two names say that their tensors are of different modules: tables, halves of a layer, or parts."""
    halves = {block(one), block(other)} - {""}
    return contrary(one, other) or len(halves) > 1 or told_apart(one, other, Sure.GUESSED)


@lru_cache(maxsize=1 << 16)
def _parts(name: str) -> frozenset[str]:
    return PARTS.intersection(words(name))


@dataclass(frozen=True)
class _Family:
    """Tensors that may be one, the words of their parts, and whether their names have these."""

    parts: tuple[Held, ...]
    known: frozenset[str]
    told: bool = True


def _families(side: Side) -> list[_Family]:
    return [family for group in _siblings(side) for family in _related(group)]


def _siblings(side: Side) -> list[tuple[Held, ...]]:
    """Tensors of modules beside each other, matrices and their biases apart."""
    groups: dict[tuple[str, bool, int], list[Held]] = defaultdict(list)
    for (role, _), held in side.free.items():
        for each in held:
            groups[_place(each.name), role == "", len(each.dims)].append(each)
    return [tuple(group[:MOST_PARTS]) for group in groups.values() if len(group) > 1]


@lru_cache(maxsize=1 << 16)
def _place(name: str) -> str:
    """Where the module is that a name says to be a part, however deep its tensor lies in it; else the tensor's."""
    modules = name.split(".")[:-1]
    parts = [at for at, piece in enumerate(modules) if _parts(piece)]
    return ".".join(modules[: parts[-1] if parts else -1])


@lru_cache(maxsize=1 << 15)
def _related(group: tuple[Held, ...]) -> tuple[_Family, ...]:
    """The tensors with the known words of parts; where none has any, as many of one shape."""
    told = {held.name: set(words(held.name)) for held in group}
    shapes: dict[Shape, list[Held]] = defaultdict(list)
    for held in group:
        shapes[held.dims].append(held)
    found = []
    for known in JOINED:
        parts = _spread(group, told, known)
        if parts:
            found.append(_Family(parts, known))
        elif not any(told[held.name] & known for held in group):
            alike = (tuple(held) for held in shapes.values() if len(held) == len(known))
            found += [_Family(parts, known, told=False) for parts in alike]
    return tuple(found)


@lru_cache(maxsize=1 << 15)
def _named(whole: Held, family: _Family) -> bool | None:
    """Whether the name of a whole says that these are its parts; None if it says that they are not."""
    said, known = set(words(whole.name)), family.known
    if len(whole.dims) != len(family.parts[0].dims) or said & PARTS not in (set(), known):
        return None
    if block(whole.name) not in ("", block(" ".join(known))) or not (family.told or said >= known):
        return None
    return said >= known


def _spread(group: Sequence[Held], told: Mapping[str, set[str]], known: frozenset[str]) -> tuple[Held, ...]:
    """The tensors that have one of the known words each; none if that is not one for each word."""
    found = {word: [held for held in group if told[held.name] & known == {word}] for word in sorted(known)}
    return tuple(held[0] for held in found.values()) if all(len(held) == 1 for held in found.values()) else ()


def _adds_up(whole: Held, parts: Sequence[Held], binding: Binding, *, splits: bool) -> dict[int, int] | None:
    """Whether the parts make the whole along one dimension; with the sizes that must then be."""
    ours = [_sizes(part, binding if splits else None) for part in parts]
    total = _sizes(whole, None if splits else binding)
    for axis in range(len(total)):
        solved = _along(total, ours, axis, whole, parts)
        if solved is not None:
            return solved
    return None


def _sizes(held: Held, binding: Binding | None) -> list[int | None]:
    dims = held.dims
    return list(dims) if binding is None else [binding.get(size, (None,))[0] for size in dims]


def _along(
    total: Sequence[int | None], parts: Sequence[Sequence[int | None]], axis: int, whole: Held, held: Sequence[Held]
) -> dict[int, int] | None:
    for way in (1, -1):
        turned = [list(part)[::way] for part in parts]
        rest = [size for at, size in enumerate(total) if at != axis]
        if None in rest or any([size for at, size in enumerate(part) if at != axis] != rest for part in turned):
            continue
        sizes = [part[axis] for part in turned]
        solved = _solved(total[axis], sizes)
        if solved is not None:
            names = {each.dims[::way][axis] for each, size in zip(held, sizes, strict=True) if size is None}
            names |= {whole.dims[axis]} if total[axis] is None else set()
            if len(names) < 2:
                return dict.fromkeys(names, solved)
    return None


def _solved(total: int | None, parts: Sequence[int | None]) -> int | None:
    """The one size that is open; any number if none is and they add up, None if they cannot."""
    known = sum(part for part in parts if part is not None)
    missing = sum(part is None for part in parts)
    if total is None:
        return None if missing else known
    if not missing:
        return 0 if known == total else None
    size, rest = divmod(total - known, missing)
    return size if size > 0 and not rest else None
