"""Which size of a checkpoint stands for which of an architecture: what most of the tensors speak for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product

from porting.nearest.cells import Cell, Held, Shape
from porting.nearest.fits import Binding, Key, Side
from porting.nearest.naming import agreement
from porting.nearest.parts import Sure, told_apart

KERNEL = 11
"""The size up to which a dimension of a kernel is one that no config sets."""
SEVERAL = 2
"""Tensors that must speak for a further value of a size that is known."""
MOST_WAYS = 64
"""Ways in which the sizes of one tensor may be known that are looked at."""


def starts(source: Cell, target: Cell) -> Iterator[Binding]:
    """Which size may stand for the most frequent one."""
    its, own = _frequent(target), _frequent(source)
    pairs = [(0, 0), (0, 1), (1, 0)]
    found = [{its[at]: (own[other],)} for at, other in pairs if at < len(its) and other < len(own)]
    return iter(found)


@lru_cache(maxsize=1 << 14)
def _frequent(cell: Cell) -> tuple[int, ...]:
    counts = Counter(size for held in cell.held for size in held.dims[:2])
    return tuple(size for size, _ in counts.most_common(2))


def known_sizes(key: Key, binding: Binding) -> tuple[list[list[int]], list[int]]:
    """The checkpoint's sizes of a tensor of the architecture as far as known, in all ways, and those that are open."""
    role, shape = key
    known: list[tuple[int, ...]] = []
    open_ = []
    for at, size in enumerate(shape):
        fixed = (size,) if _kernel(role, shape, at) else ()
        if size in binding or fixed:
            known.append((*fixed, *binding.get(size, ())))
        else:
            open_.append(size)
    return [list(way) for way in islice(product(*known), MOST_WAYS)], open_


def _kernel(role: str, shape: Shape, at: int) -> bool:
    return not role and len(shape) > 2 and shape[at] <= KERNEL


def next_size(free: Side, wanted: Side, binding: Binding, sure: Sure) -> tuple[int, int] | None:
    """The size of the architecture for which most speaks that it is a certain one of the checkpoint."""
    votes: dict[tuple[int, int], float] = defaultdict(float)
    for key, targets in wanted.free.items():
        ways, open_ = known_sizes(key, binding)
        if targets and len(set(open_)) == 1:
            _vote(votes, free, key, ways, open_, targets, sure)
    return _elected(votes) if votes else _any(free, wanted, binding)


def another_size(free: Side, wanted: Side, binding: Binding) -> tuple[int, int] | None:
    """A further value for a size of the architecture that is known, if several tensors speak for it."""
    votes: dict[tuple[int, int], float] = defaultdict(float)
    for key, targets in wanted.free.items():
        for size in set(key[1]) if targets else ():
            ways, open_ = known_sizes(key, {known: values for known, values in binding.items() if known != size})
            if len(set(open_)) == 1:
                _vote(votes, free, key, ways, open_, targets, Sure.NAMED)
    several = {
        (size, value): count
        for (size, value), count in votes.items()
        if count >= SEVERAL and size in binding and value not in binding[size]
    }
    return _elected(several) if several else None


def _elected(votes: Mapping[tuple[int, int], float]) -> tuple[int, int]:
    return max(votes, key=lambda pair: (votes[pair], pair[0] == pair[1], -pair[1]))


def _vote(
    votes: dict[tuple[int, int], float],
    free: Side,
    key: Key,
    ways: Sequence[Sequence[int]],
    open_: Sequence[int],
    targets: Sequence[Held],
    sure: Sure,
) -> None:
    """Count for each value of the open size how many tensors would find their like."""
    for (role, shape), held in free.free.items():
        sources = [one for one in held if not told_apart(one.name, targets[0].name, sure)]
        values = {_rest(shape, known, len(open_)) for known in ways} if role == key[0] and sources else set()
        for value in values - {None}:
            likeness = max(agreement(one.name, other.name) for one in sources[:4] for other in targets[:4])
            votes[open_[0], value or 0] += min(len(sources), len(targets)) + likeness


def _rest(shape: Shape, known: Sequence[int], count: int) -> int | None:
    """The one size of a shape besides those that are known."""
    if len(shape) != len(known) + count:
        return None
    rest = Counter(shape)
    rest.subtract(known)
    if any(number < 0 for number in rest.values()):
        return None
    values = [size for size, number in rest.items() if number]
    return values[0] if len(values) == 1 else None


def _any(free: Side, wanted: Side, binding: Binding) -> tuple[int, int] | None:
    """A new beginning: a size of a tensor of which less than all but one is known yet."""
    for key, targets in wanted.free.items():
        ways, open_ = known_sizes(key, binding)
        for (role, shape), sources in free.free.items() if targets and len(set(open_)) > 1 else ():
            rest = Counter(shape) - Counter(ways[0])
            if sources and role == key[0] and len(shape) == len(key[1]) and rest.total() == len(open_):
                return min(open_), min(rest)
    return None
