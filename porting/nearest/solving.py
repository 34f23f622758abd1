"""What a setting must be, by what another value of it does to the sizes of a model."""

from __future__ import annotations

from collections import defaultdict
from math import isqrt

from porting.nearest.configuring import LARGEST
from porting.nearest.exact import Built


def moved(before: Built, after: Built) -> list[tuple[int, int]]:
    """The sizes and lengths of lists that are others, with what they are."""
    found = {
        pair
        for name, shape in before.shapes.items()
        if len(shape) == len(after.shapes.get(name, ()))
        for pair in zip(shape, after.shapes.get(name, ()), strict=True)
        if pair[0] != pair[1]
    }
    for counts in (_lengths, _repeated):
        own, others = counts(before), counts(after)
        found |= {(own[place], others[place]) for place in own.keys() & others.keys() if own[place] != others[place]}
    return sorted(found)


def _repeated(built: Built) -> dict[str, int]:
    """How often each block is there, by where it is."""
    return {cell.path: cell.times for cell in built.architecture.cells}


def _lengths(built: Built) -> dict[str, int]:
    """How long each list of modules is, by where it is."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in built.shapes:
        pieces = name.split(".")
        for at, piece in enumerate(pieces):
            if piece.isdecimal():
                found[".".join(pieces[:at])].add(piece)
    return {place: len(numbers) for place, numbers in found.items()}


def solutions(value: int, changed: int, sizes: tuple[int, int], wish: int) -> list[int]:
    """The values of a setting for which a size may be as wished, likeliest first.

    Args:
        value: with which the size is the first of ``sizes``.
        changed: with which it is the second.
        sizes: that are observed.
        wish: what the size should be.
    """
    size, other = sizes
    steps, rest = divmod((wish - size) * (changed - value), other - size)
    found = [] if rest else [value + steps]
    found += [value * wish // size] if size and value * wish % size == 0 else []
    found += [value * size // wish] if wish and value * size % wish == 0 else []
    for more in (0, 1, 2):  # a grid of so many positions, and up to two in front
        if size > more and wish > more:
            root = isqrt(value * value * (wish - more) // (size - more))
            found += [root] if root * root * (size - more) == value * value * (wish - more) else []
    return [each for each in dict.fromkeys(found) if 0 < each <= LARGEST and each != value]
