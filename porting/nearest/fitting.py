"""Whether a block can be another of other sizes: which size stands for which, and what goes where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache

from porting.nearest.cells import MOST_HELD, Cell, Held
from porting.nearest.fits import MOST_KINDS, Binding, Fit, Open, Placing, Side
from porting.nearest.naming import agreement, contrary
from porting.nearest.parts import Sure, joined, of_other_modules, other_part
from porting.nearest.sizes import another_size, known_sizes, next_size, starts

SURE = 0.6
"""Agreement of names that makes one of two tensors whose sizes do not tell it."""
MOST_PAIRS = 400
"""Pairs of tensors up to which each is looked at."""


Differ = Callable[[str, str], bool]
"""Whether two names say that their tensors are not one."""


@lru_cache(maxsize=1 << 14)
def fit(source: Cell, target: Cell) -> Fit:
    """Fit a block of a checkpoint into one of an architecture, from each of the likely ways to begin."""
    best: Fit | None = None
    for start in starts(source, target):
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


@lru_cache(maxsize=1 << 14)
def fit_exactly(source: Cell, target: Cell) -> Fit:
    """Fit a block of a checkpoint into one of a model that is built: every size stands for itself.

    Tensors of one size are not one where their names say that they are of different modules.
    """
    return _fitted(source, target, {size: (size,) for held in target.held for size in held.dims}, exactly=True)


def _fitted(source: Cell, target: Cell, binding: Open, *, loose: bool = False, exactly: bool = False) -> Fit:
    differ = of_other_modules if exactly else contrary
    free, wanted = (Side.of(cell, MOST_HELD if exactly else MOST_KINDS) for cell in (source, target))
    placings = _same(free, wanted, binding, differ)
    for sure in Sure:
        found: tuple[int, int] | None = (0, 0)
        while found is not None:
            placings += joined(free, wanted, binding, sure)
            found = next_size(free, wanted, binding, sure) or (another_size(free, wanted, binding) if loose else None)
            if found is not None:
                binding[found[0]] = (*binding.get(found[0], ()), found[1])
                placings += _same(free, wanted, binding, differ)
    placings += _resized(free, wanted) if loose else []
    return Fit(tuple(placings), binding, tuple(free.left()), tuple(wanted.left()))


def _same(free: Side, wanted: Side, binding: Binding, differ: Differ) -> list[Placing]:
    """Pair all whose sizes are known and the same, those of like names first."""
    found = []
    for key, targets in wanted.free.items():
        ways, open_ = known_sizes(key, binding)
        for known in ways if targets and not open_ else ():
            sources = free.free.get((key[0], tuple(sorted(known))), [])
            for source, target in _paired(sources, targets, differ):
                sources.remove(source)
                targets.remove(target)
                found.append(Placing((source,), (target,)))
    return found


def _paired(sources: Sequence[Held], targets: Sequence[Held], differ: Differ) -> list[tuple[Held, Held]]:
    if len(sources) * len(targets) > MOST_PAIRS:
        return list(zip(sources, targets, strict=False))
    scored = sorted(
        (
            (
                other_part(source.name, target.name),
                -agreement(source.name, target.name),
                _order(source) != _order(target),
                at,
                other,
            )
            for at, source in enumerate(sources)
            for other, target in enumerate(targets)
        )
    )
    taken: tuple[set[int], set[int]] = (set(), set())
    pairs = []
    for *_, at, other in scored:
        if at not in taken[0] and other not in taken[1] and not differ(sources[at].name, targets[other].name):
            taken[0].add(at)
            taken[1].add(other)
            pairs.append((sources[at], targets[other]))
    return pairs


def _order(held: Held) -> list[int]:
    """Which of its dimensions is larger than which."""
    return [sorted(held.dims).index(size) for size in held.dims]


def _resized(free: Side, wanted: Side) -> list[Placing]:
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
