"""Find the settings with which a model has given shapes: one setting after another, until nothing gets better.

This file also runs alone, beside `trial`, in the original's own interpreter: Python 3.7 and the standard library.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple, Union

Shape = Tuple[int, ...]
Shapes = Mapping[str, Shape]
Settings = Dict[str, Any]
Measure = Callable[[Settings], Optional[Shapes]]
"""The shapes of a model's tensors with some settings; None where there is no such model."""
FAR = float("-inf")
"""How near a model is that cannot be built."""


def by_name(found: Shapes, wanted: Shapes) -> float:
    """How near shapes are to wanted ones of the same names; 0 where all are equal, less for whatever is not."""
    score = 0.0
    for name in set(found) | set(wanted):
        one, other = found.get(name), wanted.get(name)
        if one is None or other is None:
            score -= 1.0
        elif tuple(one) != tuple(other):
            score -= 0.5 if len(one) != len(other) else 0.5 * sum(a != b for a, b in zip(one, other)) / len(one)
    return score


def by_shape(found: Shapes, wanted: Shapes) -> float:
    """How near shapes are to wanted ones of whatever names; 0 where there are as many of each."""
    ones, others = Counter(map(_canonical, found.values())), Counter(map(_canonical, wanted.values()))
    axes, more = Counter(_axes(ones - others)), Counter(_axes(others - ones))
    return 0.2 * sum((axes & more).values()) / 4 - unmatched(found, wanted)


def unmatched(found: Shapes, wanted: Shapes) -> int:
    """How many shapes, of whatever names, only one side has."""
    ones, others = Counter(map(_canonical, found.values())), Counter(map(_canonical, wanted.values()))
    return sum(((ones - others) + (others - ones)).values())


def in_place_by_name(found: Shapes, wanted: Shapes, names: Set[str]) -> bool:
    """Whether some tensors have the wanted shapes of their names."""
    return all(name in wanted and tuple(wanted[name]) == tuple(found[name]) for name in names)


def in_place_by_shape(found: Shapes, wanted: Shapes, names: Set[str]) -> bool:
    """Whether there are no more tensors of the shapes of some than are wanted."""
    ones, others = Counter(map(_canonical, found.values())), Counter(map(_canonical, wanted.values()))
    return all(ones[shape] <= others[shape] for shape in {_canonical(found[name]) for name in names})


class Criterion(NamedTuple):
    """When shapes are the wanted ones.

    Attributes:
        near: how near they are; 0 is equal.
        in_place: whether some of them, by their names, are what is wanted.
    """

    near: Callable[[Shapes, Shapes], float]
    in_place: Callable[[Shapes, Shapes, Set[str]], bool]


BY_NAME = Criterion(by_name, in_place_by_name)


def fit(
    measure: Measure,
    start: Settings,
    options: Mapping[str, Sequence[Any]],
    wanted: Shapes,
    by: Criterion = BY_NAME,
    seconds: float = 30.0,
    ease: Optional[Settings] = None,
) -> Tuple[Settings, float]:
    """The settings with the nearest shapes, and how near they are (0 is equal).

    Args:
        measure: the shapes with some settings.
        start: the settings to begin with.
        options: what each of them may be instead; of one that is a list, a number stands for any one of its members.
        wanted: the shapes.
        by: when shapes are the wanted ones.
        seconds: that it may take; then the best until there is given.
        ease: settings that are taken, too, where another one cannot be built without, as a single head.
    """
    until = time.monotonic() + seconds
    best, shapes = dict(start), measure(start)
    nearest = FAR if shapes is None else by.near(shapes, wanted)
    places, still = [(name, at) for name in options for at in slots(start.get(name))], 0
    while still < len(places) and nearest < 0 and time.monotonic() < until:
        place, before = places.pop(0), nearest
        places.append(place)
        for value in options[place[0]]:
            changed = put(best, place, value)
            if changed == best or time.monotonic() > until:
                continue
            tried, its = _eased(measure, changed, ease)
            near = FAR if its is None else by.near(its, wanted)
            if near > nearest:
                best, shapes, nearest = tried, its, near
            elif shapes and its and _settled(shapes, its, wanted, by):
                break
        still = 0 if nearest > before else still + 1
    return best, nearest


Slot = Union[int, None]


def slots(value: Any) -> List[Slot]:
    """Where a setting can be changed: as a whole (None), or a member of a list."""
    return [None, *range(len(value))] if isinstance(value, (list, tuple)) else [None]


def put(settings: Settings, place: Tuple[str, Slot], value: Any) -> Settings:
    """The settings with another value at a place; as they are where it is none for this place."""
    name, at = place
    current = settings.get(name)
    if isinstance(current, (list, tuple)) is not (isinstance(value, (list, tuple)) or at is not None):
        return settings
    if at is None or not isinstance(current, (list, tuple)):
        return {**settings, name: value}
    if isinstance(value, (list, tuple)) or at >= len(current):
        return settings
    return {**settings, name: [*current[:at], value, *current[at + 1 :]]}


def _eased(measure: Measure, changed: Settings, ease: Optional[Settings]) -> Tuple[Settings, Optional[Shapes]]:
    """The settings with what makes them such that they can be built, and their shapes."""
    shapes = measure(changed)
    if shapes is not None or not ease:
        return changed, shapes
    eased = {**changed, **ease}
    return eased, measure(eased)


def _settled(shapes: Shapes, others: Shapes, wanted: Shapes, by: Criterion) -> bool:
    """Whether all shapes that another value of a setting has changed were the wanted ones before."""
    changed = {name for name in shapes if others.get(name) != shapes[name]}
    return shapes.keys() == others.keys() and by.in_place(shapes, wanted, changed)


def unseen(
    measure: Measure,
    settings: Settings,
    names: Sequence[str],
    together: Sequence[str] = (),
    defaults: Optional[Settings] = None,
) -> List[str]:
    """Those of some settings that can be otherwise without any other shape, by themselves or along with others.

    Args:
        measure: the shapes with some settings.
        settings: as they are.
        names: of those in question.
        together: settings that may have to move along, as groups of heads do with heads.
        defaults: what settings are that are not given.
    """
    shapes = measure(settings)
    found = []
    for name in names:
        value = settings.get(name, (defaults or {}).get(name))
        changes = [
            {**_scaled(settings, more, factor), name: other}
            for more in ((), together)
            for factor, other in _others(value)
        ]
        measured = map(measure, _changed(settings, changes))
        if any(each is not None and each == shapes for each in measured):
            found.append(name)
    return found


def _others(value: Any) -> List[Tuple[float, Any]]:
    """What a number, or a list of them, may be instead: the factor, and the other value; nothing for all else."""
    counts = value if isinstance(value, (list, tuple)) else [value]
    if not counts or not all(type(each) is int and each > 0 for each in counts):
        return []
    found = [(factor, [int(each * factor) for each in counts]) for factor in (2.0, 0.5)]
    found.append((1 / max(counts), [1] * len(counts)))
    wanted = [(factor, each) for factor, each in found if min(each) > 0 and each != list(counts)]
    return [(factor, each if isinstance(value, (list, tuple)) else each[0]) for factor, each in wanted]


def _scaled(settings: Settings, names: Sequence[str], factor: float) -> Settings:
    return {name: max(int(settings[name] * factor), 1) for name in names if type(settings.get(name)) is int}


def _changed(settings: Settings, changes: Sequence[Settings]) -> List[Settings]:
    """The settings with each of some changes, every one once."""
    found: List[Settings] = []
    for change in changes:
        changed = {**settings, **change}
        if changed not in found:
            found.append(changed)
    return found


def _canonical(shape: Shape) -> Shape:
    """A shape without axes of one, the same for a matrix and its transpose."""
    kept = tuple(dim for dim in shape if dim != 1)
    return tuple(sorted(kept)) if len(kept) == 2 else kept


def _axes(shapes: Counter[Shape]) -> List[Tuple[int, int]]:
    return [(len(shape), dim) for shape, count in shapes.items() for dim in shape for _ in range(count)]
