"""Whether a block can be another of other sizes: which size stands for which, and what goes where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from itertools import islice, product

from porting.nearest.cells import Cell, Held, Shape, roles
from porting.weights.inference.words import FILLERS, block, words

KERNEL = 11
"""The size up to which a dimension of a kernel is one that no config sets."""
MOST_PARTS = 8
"""Tensors beside each other of which one may be made."""
TABLES = frozenset({"position", "head", "token", "kind"})
"""What tables outside of blocks are for."""
SURE = 0.6
"""Agreement of names that makes one of two tensors whose sizes do not tell it."""
SEVERAL = 2
"""Tensors that must speak for a further value of a size that is known."""
MOST_KINDS = 160
"""Kinds of tensors of a block that are looked at."""

Key = tuple[str, Shape]
Binding = Mapping[int, tuple[int, ...]]
"""The checkpoint's size for a size of the architecture; several where blocks say different ones."""
Open = dict[int, tuple[int, ...]]
JOINED = tuple(map(frozenset, (("q", "k", "v"), ("k", "v"), ("q", "k"), ("gate", "up"))))
PARTS: frozenset[str] = frozenset().union(*JOINED)
MOST_WAYS = 64


class Sure(Enum):
    """How sure it must be that tensors are the parts of one."""

    SIZED = "their sizes are known and add up"
    NAMED = "or else the name of the whole says so"
    GUESSED = "or else they are of one kind"


@dataclass(frozen=True)
class Placing:
    """Tensors of the checkpoint's block and those of the architecture's that they are.

    Attributes:
        sources: of the checkpoint.
        targets: of the architecture.
        how: ``same``, ``split``, ``joined``, or ``resized`` where only names and the number of dimensions agree.
    """

    sources: tuple[Held, ...]
    targets: tuple[Held, ...]
    how: str = "same"


@dataclass(frozen=True)
class Fit:
    """How one block fits into another.

    Attributes:
        placings: no tensor is in two.
        binding: the checkpoint's size for each of the architecture's.
        left: tensors of the checkpoint's block without a place.
        empty: tensors of the architecture's that nothing fills.
    """

    placings: tuple[Placing, ...]
    binding: Binding
    left: tuple[Held, ...]
    empty: tuple[Held, ...]

    @property
    def placed(self) -> int:
        """Tensors of the checkpoint's block with a place."""
        return sum(len(each.sources) for each in self.placings)

    @property
    def filled(self) -> int:
        """Tensors of the architecture's block that are filled."""
        return sum(len(each.targets) for each in self.placings)

    @property
    def share(self) -> float:
        """0 to 1: how much of both finds its like."""
        total = self.placed + self.filled + len(self.left) + sum(not held.optional for held in self.empty)
        return (self.placed + self.filled) / total if total else 0.0


@dataclass
class _Side:
    """The tensors of a block that are free, by what they are and their sizes."""

    free: dict[Key, list[Held]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, cell: Cell) -> _Side:
        side = cls()
        for held, role in zip(cell.held, roles(cell), strict=True):
            key = role, tuple(sorted(held.dims))
            if key in side.free or len(side.free) < MOST_KINDS:
                side.free[key].append(held)
        return side

    def left(self) -> list[Held]:
        return [held for group in self.free.values() for held in group]

    def take(self, held: Held) -> None:
        for group in self.free.values():
            if held in group:
                group.remove(held)


@lru_cache(maxsize=1 << 14)
def fit(source: Cell, target: Cell) -> Fit:
    """Fit a block of a checkpoint into one of an architecture, from each of the likely ways to begin."""
    best: Fit | None = None
    for start in _starts(source, target):
        found = _fitted(source, target, dict(start))
        if best is None or found.share > best.share:
            best = found
        if best.share == 1:
            break
    return best or _fitted(source, target, {})


def fit_with(source: Cell, target: Cell, bindings: Sequence[Binding]) -> Fit:
    """The same for what stands outside of blocks, where each of the blocks' sizes may be meant."""
    if not bindings:
        return fit(source, target)
    merged: dict[int, list[int]] = defaultdict(list)
    for binding in bindings:
        for size, values in binding.items():
            merged[size] += [value for value in values if value not in merged[size]]
    return _fitted(source, target, {size: tuple(values) for size, values in merged.items()}, loose=True)


def _starts(source: Cell, target: Cell) -> Iterator[Binding]:
    """Which size may stand for the most frequent one."""
    its, own = _frequent(target), _frequent(source)
    pairs = [(0, 0), (0, 1), (1, 0)]
    found = [{its[at]: (own[other],)} for at, other in pairs if at < len(its) and other < len(own)]
    return iter(found)


@lru_cache(maxsize=1 << 14)
def _frequent(cell: Cell) -> tuple[int, ...]:
    counts = Counter(size for held in cell.held for size in held.dims[:2])
    return tuple(size for size, _ in counts.most_common(2))


def _fitted(source: Cell, target: Cell, binding: Open, *, loose: bool = False) -> Fit:
    free, wanted = _Side.of(source), _Side.of(target)
    placings = _same(free, wanted, binding)
    for sure in Sure:
        found: tuple[int, int] | None = (0, 0)
        while found is not None:
            placings += _joined(free, wanted, binding, sure)
            found = _next(free, wanted, binding) or (_another(free, wanted, binding) if loose else None)
            if found is not None:
                binding[found[0]] = (*binding.get(found[0], ()), found[1])
                placings += _same(free, wanted, binding)
    placings += _resized(free, wanted) if loose else []
    return Fit(tuple(placings), binding, tuple(free.left()), tuple(wanted.left()))


def _resized(free: _Side, wanted: _Side) -> list[Placing]:
    """Pair what is left by names: sizes that are one in the default config and two in the checkpoint's."""
    found = []
    for (role, shape), targets in wanted.free.items():
        for target in tuple(targets):
            of_kind = (each for key, held in free.free.items() if key[0] == role for each in held)
            sources = [each for each in of_kind if len(each.dims) == len(shape)]
            best = max(sources, key=lambda each: agreement(each.name, target.name), default=None)
            if best is not None and agreement(best.name, target.name) >= SURE:
                found.append(Placing((best,), (target,), "resized"))
                free.take(best)
                targets.remove(target)
    return found


def _kernel(role: str, shape: Shape, at: int) -> bool:
    return not role and len(shape) > 2 and shape[at] <= KERNEL


def _bound(key: Key, binding: Binding) -> tuple[list[list[int]], list[int]]:
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


def _same(free: _Side, wanted: _Side, binding: Binding) -> list[Placing]:
    """Pair all whose sizes are known and the same, those of like names first."""
    found = []
    for key, targets in wanted.free.items():
        ways, open_ = _bound(key, binding)
        for known in ways if targets and not open_ else ():
            sources = free.free.get((key[0], tuple(sorted(known))), [])
            for source, target in _paired(sources, targets):
                sources.remove(source)
                targets.remove(target)
                found.append(Placing((source,), (target,)))
    return found


def _paired(sources: Sequence[Held], targets: Sequence[Held]) -> list[tuple[Held, Held]]:
    if len(sources) * len(targets) > 400:
        return list(zip(sources, targets, strict=False))
    scored = sorted(
        (
            (-agreement(source.name, target.name), _order(source) != _order(target), at, other)
            for at, source in enumerate(sources)
            for other, target in enumerate(targets)
        )
    )
    taken: tuple[set[int], set[int]] = (set(), set())
    pairs = []
    for _, _, at, other in scored:
        if at not in taken[0] and other not in taken[1] and not contrary(sources[at].name, targets[other].name):
            taken[0].add(at)
            taken[1].add(other)
            pairs.append((sources[at], targets[other]))
    return pairs


def _order(held: Held) -> list[int]:
    """Which of its dimensions is larger than which."""
    return [sorted(held.dims).index(size) for size in held.dims]


@lru_cache(maxsize=1 << 16)
def contrary(one: str, other: str) -> bool:
    """Whether names say of tables that they are different ones."""
    left, right = (TABLES.intersection(words(name)) for name in (one, other))
    return bool(left and right) and not left & right


@lru_cache(maxsize=1 << 17)
def agreement(one: str, other: str) -> float:
    """0 to 1: the share of words that two names have in common."""
    left, right = set(words(one)) - FILLERS, set(words(other)) - FILLERS
    return len(left & right) / max(len(left | right), 1)


def _next(free: _Side, wanted: _Side, binding: Binding) -> tuple[int, int] | None:
    """The size of the architecture for which most speaks that it is a certain one of the checkpoint."""
    votes: dict[tuple[int, int], float] = defaultdict(float)
    for key, targets in wanted.free.items():
        ways, open_ = _bound(key, binding)
        if targets and len(set(open_)) == 1:
            _vote(votes, free, key, ways, open_, targets)
    return _elected(votes) if votes else _any(free, wanted, binding)


def _another(free: _Side, wanted: _Side, binding: Binding) -> tuple[int, int] | None:
    """A further value for a size of the architecture that is known, if several tensors speak for it."""
    votes: dict[tuple[int, int], float] = defaultdict(float)
    for key, targets in wanted.free.items():
        for size in set(key[1]) if targets else ():
            ways, open_ = _bound(key, {known: values for known, values in binding.items() if known != size})
            if len(set(open_)) == 1:
                _vote(votes, free, key, ways, open_, targets)
    several = {pair: count for pair, count in votes.items() if count >= SEVERAL and pair[1] not in binding[pair[0]]}
    return _elected(several) if several else None


def _elected(votes: Mapping[tuple[int, int], float]) -> tuple[int, int]:
    return max(votes, key=lambda pair: (votes[pair], pair[0] == pair[1], -pair[1]))


def _vote(
    votes: dict[tuple[int, int], float],
    free: _Side,
    key: Key,
    ways: Sequence[Sequence[int]],
    open_: Sequence[int],
    targets: Sequence[Held],
) -> None:
    """Count for each value of the open size how many tensors would find their like."""
    for (role, shape), held in free.free.items():
        sources = [one for one in held if not _several(one.name, targets[0].name)]
        values = {_rest(shape, known, len(open_)) for known in ways} if role == key[0] and sources else set()
        for value in values - {None}:
            likeness = max(agreement(one.name, other.name) for one in sources[:4] for other in targets[:4])
            votes[open_[0], value or 0] += min(len(sources), len(targets)) + likeness


@lru_cache(maxsize=1 << 16)
def _several(one: str, other: str) -> bool:
    """Whether one of two names is that of several parts, and the other of fewer."""
    left, right = (PARTS.intersection(words(name)) for name in (one, other))
    return max(len(left), len(right)) > 1 and left != right


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


def _any(free: _Side, wanted: _Side, binding: Binding) -> tuple[int, int] | None:
    """A new beginning: a size of a tensor of which less than all but one is known yet."""
    for key, targets in wanted.free.items():
        ways, open_ = _bound(key, binding)
        for (role, shape), sources in free.free.items() if targets and len(set(open_)) > 1 else ():
            rest = Counter(shape) - Counter(ways[0])
            if sources and role == key[0] and len(shape) == len(key[1]) and rest.total() == len(open_):
                return min(open_), min(rest)
    return None


def _joined(free: _Side, wanted: _Side, binding: Open, sure: Sure) -> list[Placing]:
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


@dataclass(frozen=True)
class _Family:
    """Tensors that may be one, the words of their parts, and whether their names have these."""

    parts: tuple[Held, ...]
    known: frozenset[str]
    told: bool = True


def _families(side: _Side) -> list[_Family]:
    return [family for group in _siblings(side) for family in _related(group)]


def _siblings(side: _Side) -> list[tuple[Held, ...]]:
    """Tensors of modules beside each other, matrices and their biases apart."""
    groups: dict[tuple[str, bool, int], list[Held]] = defaultdict(list)
    for (role, _), held in side.free.items():
        for each in held:
            place = each.name.rsplit(".", 2)[0] if each.name.count(".") > 1 else ""
            groups[place, role == "", len(each.dims)].append(each)
    return [tuple(group[:MOST_PARTS]) for group in groups.values() if len(group) > 1]


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
