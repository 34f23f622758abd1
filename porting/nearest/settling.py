"""Find the settings with which a class of Transformers has exactly a checkpoint's tensors.

Each setting is tried once with another value: the sizes that change with it are those that it decides, and what they
should be says what its value is. No setting is known by its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, islice
from typing import Any

from porting.nearest.building import tensors_of
from porting.nearest.cells import Cell, Held
from porting.nearest.configuring import (
    Settings,
    absent_of,
    configured,
    numbers_of,
    others_of,
)
from porting.nearest.exact import Built, Difference, difference
from porting.nearest.likely import likeness
from porting.nearest.limits import Limits
from porting.nearest.matching import Match, match
from porting.nearest.naming import agreement
from porting.nearest.solving import moved, solutions

ROUNDS = 12
MOST_TRIED = 60
"""Settings that are tried in a round."""
MOST_WANTED = 12
"""Sizes that should be others, of which a round takes care."""
MOST_FIRST = 3
"""Values of a number with each of which a second one is tried."""
MOST_HELD = 40
"""Tensors of either side without a counterpart that are paired."""
Wants = Counter[tuple[int, int]]
"""A model's size, and what it should be: how many tensors say so."""


@dataclass(frozen=True)
class Settled:
    """A class with settings, and what it has not in common with a checkpoint."""

    cells: Sequence[Cell]
    built: Built
    settings: Settings
    config: Any
    rest: Difference

    @cached_property
    def wants(self) -> Wants:
        """Which of its sizes should be others: as blocks that are alike say, and tensors of like names."""
        found = match(self.cells, self.built.architecture)
        wants = _lengthened(found)
        for _, target, fit in found.pairs:
            for size, values in fit.binding.items():
                wants.update({(size, value): target.times for value in values})
        for (cell, held), (other, empty) in _like(self.rest):
            wants.update((size, wish) for size, wish in zip(empty.dims, held.dims, strict=True))
            wants.update((size, wish) for size, wish in zip(empty.dims, held.dims[::-1], strict=True))
            wants[other.times, cell.times] += 1
        return Counter({pair: count for pair, count in wants.items() if pair[0] != pair[1]})


@dataclass
class Settling:
    """The search for the settings of one class.

    Attributes:
        cells: all blocks of the checkpoint.
        config_class: of the settings.
        limits: of time and tensors.
        still: settings on which no tensor depends.
    """

    cells: Sequence[Cell]
    config_class: type[Any]
    limits: Limits
    still: set[str] = field(default_factory=set)

    def tried(self, model_class: type[Any], settings: Settings) -> Settled | None:
        """The class with these settings; None where they do not go together."""
        made = self._built(model_class, settings)
        return None if made is None else Settled(self.cells, *made, difference(self.cells, made[0]))

    def settled(self, model_class: type[Any], best: Settled) -> Settled:
        """The nearest that is found from there within the limits: one setting after another, until none helps."""
        for _ in range(ROUNDS):
            before = best
            for name, value in list(numbers_of(best.config).items())[:MOST_TRIED]:
                if best.rest.wrong:
                    best = self._nearer(model_class, best, self._solved(model_class, best, name, value))
            if best is before and best.rest.wrong:
                best = self._nearer(model_class, best, self._otherwise(best))
            if best is before and best.rest.wrong:
                best = self._twofold(model_class, best)
            if best is before or not best.rest.wrong:
                break
        return best

    def told(self, model_class: type[Any], found: Settled) -> Settled:
        """The same without the settings that make no difference to the tensors."""
        for name in list(found.settings):
            less = {other: value for other, value in found.settings.items() if other != name}
            tried = None if self.limits.over else self.tried(model_class, less)
            if tried is not None and tried.rest.wrong <= found.rest.wrong:
                found = tried
        return found

    def loose(self, model_class: type[Any], found: Settled) -> tuple[str, ...]:
        """Those of its settings that could be others, alone or with another one, as heads and their groups."""
        names = [name for name, value in found.settings.items() if type(value) is int]
        groups: list[tuple[str, ...]] = [*((name,) for name in names), *combinations(names, 2)]
        open_ = [group for group in groups if self._other(model_class, found, group)]
        return tuple(name for name in names if any(name in group for group in open_))

    def _other(self, model_class: type[Any], found: Settled, names: Sequence[str]) -> bool:
        """Whether some settings can all be twice or half as large, and every shape is the same."""
        values = [int(found.settings[name]) for name in names]
        for others in ([value * 2 for value in values], [value // 2 for value in values]):
            if all(others) and not self.limits.over:
                made = self._built(model_class, {**found.settings, **dict(zip(names, others, strict=True))})
                if made is not None and made[0].shapes == found.built.shapes:
                    return True
        return False

    def _nearer(self, model_class: type[Any], best: Settled, changes: Iterable[Settings], by: float = 0.0) -> Settled:
        """With the first of some changes with which it is nearer, by so many tensors; else what there is."""
        for change in changes:
            found = None if self.limits.over else self.tried(model_class, {**best.settings, **change})
            if found is not None and found.rest.wrong < best.rest.wrong - by:
                return found
        return best

    def _solved(self, model_class: type[Any], best: Settled, name: str, value: int) -> Iterator[Settings]:
        """What a number must be for the sizes that it decides to be the checkpoint's."""
        if name in self.still or self.limits.over:
            return
        for size, other, changed in self._moves(model_class, best, name, value):
            for (own, wish), _ in best.wants.most_common(MOST_WANTED):
                if own == size:
                    yield from ({name: each} for each in solutions(value, changed, (size, other), wish))

    def _twofold(self, model_class: type[Any], best: Settled) -> Settled:
        """With two numbers changed that help only together, such as heads and their width."""
        for name, value in list(numbers_of(best.config).items())[:MOST_TRIED]:
            for change in islice(self._solved(model_class, best, name, value), MOST_FIRST):
                middle = self.tried(model_class, {**best.settings, **change})
                found = best if middle is None else self._second(model_class, best, middle, change)
                if found is not best:
                    return found
        return best

    def _second(self, model_class: type[Any], best: Settled, middle: Settled, change: Settings) -> Settled:
        """With a change and the first of a second number with which it is nearer; else what there is."""
        for name, value in list(numbers_of(middle.config).items())[:MOST_TRIED]:
            further = self._solved(model_class, middle, name, value) if name not in change else ()
            found = self._nearer(model_class, best, ({**change, **second} for second in further), by=1.0)
            if found is not best:
                return found
        return best

    def _otherwise(self, best: Settled) -> Iterator[Settings]:
        """What is there or not, and sizes that are left to others."""
        yield from ({name: value} for name, value in others_of(best.config).items())
        for name in absent_of(best.config):
            yield from ({name: wish} for (_, wish), _ in best.wants.most_common(MOST_WANTED))

    def _moves(self, model_class: type[Any], best: Settled, name: str, value: int) -> Iterator[tuple[int, int, int]]:
        """The sizes that another value of a setting changes: each with what it becomes, and the value."""
        for changed in dict.fromkeys((value * 2, value // 2, value + 1)):
            made = self._built(model_class, {**best.settings, name: changed}) if changed else None
            if made is not None:
                found = moved(best.built, made[0])
                if not found:
                    self.still.add(name)
                yield from ((size, other, changed) for size, other in found)
                return

    def _built(self, model_class: type[Any], settings: Settings) -> tuple[Built, Settings, Any] | None:
        try:
            with self.limits.kept():
                config = configured(self.config_class, settings)
                shapes, tied = tensors_of(model_class, lambda: config)
        except Exception:  # settings that do not go together raise anything
            return None
        return Built(model_class.__name__, shapes, tied), settings, config


def _lengthened(found: Match) -> Wants:
    """How often each block should be there: as often as its like, and with others that are no other's like."""
    wants: Wants = Counter()
    times: Counter[Cell] = Counter()
    for source, target, _ in found.pairs:
        times[target] += source.times
    wants.update({(target.times, number): len(target.held) for target, number in times.items()})
    for cell in found.left if times else ():
        target = max(times, key=lambda each: likeness(cell, each))
        times[target] += cell.times
        wants[target.times, times[target]] += len(cell.held)
    return wants


def _like(rest: Difference) -> Iterator[tuple[tuple[Cell, Held], tuple[Cell, Held]]]:
    """Tensors without a place, each with the one that nothing fills whose name is most like its own."""
    empty = rest.of_empty[:MOST_HELD]
    for cell, held in rest.of_left[:MOST_HELD]:
        alike = [each for each in empty if len(each[1].dims) == len(held.dims)]
        if alike:
            yield (cell, held), max(alike, key=lambda each: agreement(_name(cell, held), _name(*each)))


def _name(cell: Cell, held: Held) -> str:
    return f"{cell.path}.{held.name}"
