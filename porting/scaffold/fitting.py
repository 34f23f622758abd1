"""Find the settings with which a model has given shapes: one setting after another, until nothing gets better.

This file also runs alone, beside `trial`, in the original's own interpreter: Python 3.7 and the standard library.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

Shape = Tuple[int, ...]
Shapes = Mapping[str, Shape]
Settings = Dict[str, Any]
Measure = Callable[[Settings], Optional[Shapes]]
"""The shapes of a model's tensors with some settings; None where there is no such model."""

ROUNDS = 4
WORDS, OTHERS = re.compile("emb|tok|wte|vocab", re.IGNORECASE), re.compile("pos|type|seg|patch", re.IGNORECASE)
"""In the names of a table of tokens, and of other tables."""
NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


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


def fit(
    measure: Measure,
    start: Settings,
    options: Mapping[str, Sequence[int]],
    wanted: Shapes,
    score: Callable[[Shapes, Shapes], float] = by_name,
    seconds: float = 30.0,
) -> Tuple[Settings, float]:
    """The settings with the nearest shapes, and how near they are (0 is equal).

    Args:
        measure: the shapes with some settings.
        start: the settings to begin with.
        options: what each of them may be instead.
        wanted: the shapes.
        score: how near shapes are.
        seconds: that it may take; then the best until there is given.
    """
    until = time.monotonic() + seconds
    best, shapes = dict(start), measure(start)
    nearest = float("-inf") if shapes is None else score(shapes, wanted)
    for _ in range(ROUNDS):
        before = nearest
        for name, values in options.items():
            for value in values:
                if nearest == 0 or time.monotonic() > until:
                    return best, nearest
                if best.get(name) == value:
                    continue
                shapes = measure({**best, name: value})
                near = float("-inf") if shapes is None else score(shapes, wanted)
                if near > nearest:
                    best, nearest = {**best, name: value}, near
        if nearest == before:
            break
    return best, nearest


def unseen(measure: Measure, settings: Settings, names: Sequence[str], together: Sequence[str] = ()) -> List[str]:
    """Those of some settings that can be otherwise without any other shape, by themselves or along with others.

    Args:
        measure: the shapes with some settings.
        settings: as they are.
        names: of those in question.
        together: settings that may have to move along, as groups of heads do with heads.
    """
    shapes = measure(settings)
    found = []
    for name in names:
        value = settings.get(name)
        if type(value) is not int or value < 1:
            continue
        others = [other for other in (value * 2, value // 2, 1) if 0 < other != value]
        changes = [{name: other} for other in others]
        changes += [{**_scaled(settings, together, other / value), name: other} for other in others]
        if any(measured is not None and measured == shapes for measured in map(measure, _changed(settings, changes))):
            found.append(name)
    return found


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


def facts_of(shapes: Shapes) -> Dict[str, List[int]]:
    """What shapes say of a model, by concept, the likeliest first."""
    matrices = [shape for shape in shapes.values() if len(shape) == 2]
    dims = Counter(dim for shape in shapes.values() for dim in set(shape) if len(shape) <= 3 and dim > 1)
    hidden = [dim for dim, _ in dims.most_common(6)]
    width = hidden[0] if hidden else 64
    tables = sorted({shape[0] for shape in matrices if shape[1] == width}, reverse=True)
    words = {shape[0] for name, shape in shapes.items() if WORDS.search(name) and not OTHERS.search(name)}
    wide = [dim for dim in hidden if dim > width] + [4 * width, 3 * width]
    kernels = [shape for shape in shapes.values() if len(shape) == 4]
    patches = sorted({shape[-1] for shape in kernels}, reverse=True) or [16]
    rows = sorted({dim for name, shape in shapes.items() if "pos" in name for dim in shape[:-1] if dim > 1})
    return {
        "hidden": hidden,
        "layers": _lengths(shapes),
        "vocabulary": sorted(tables, key=lambda rows: rows not in words),
        "intermediate": wide,
        "heads": [max(width // size, 1) for size in (64, 32, 128, 16, 8) if width % size == 0] or [1],
        "groups": [count for count in (width // 64, width // 128, 8, 4, 2, 1) if count > 0],
        "positions": [*rows, *tables],
        "types": [dim for dim in reversed(tables) if dim <= 8] + [2],
        "patch": patches,
        "channels": [*Counter(shape[1] for shape in kernels).keys(), 3],
        "image": [side * patch for row in rows for side in _sides(row) for patch in patches] + [224],
        "classes": sorted({shape[0] for shape in shapes.values() if len(shape) == 1}),
        "dims": sorted(dims),
    }


def _lengths(shapes: Shapes) -> List[int]:
    """How long the lists of modules are, the longest first."""
    found: Dict[str, Set[str]] = {}
    for name in shapes:
        for each in NUMBER.finditer(name):
            found.setdefault(NUMBER.sub("*", name[: each.start()]), set()).add(each.group())
    return sorted({len(numbers) for numbers in found.values()}, reverse=True)


def _sides(rows: int) -> List[int]:
    """The sides of a square of so many positions, with up to two more in front."""
    return [round(n**0.5) for n in (rows - 1, rows, rows - 2) if n > 0 and round(n**0.5) ** 2 == n]


def _canonical(shape: Shape) -> Shape:
    """A shape without axes of one, the same for a matrix and its transpose."""
    kept = tuple(dim for dim in shape if dim != 1)
    return tuple(sorted(kept)) if len(kept) == 2 else kept


def _axes(shapes: Counter[Shape]) -> List[Tuple[int, int]]:
    return [(len(shape), dim) for shape, count in shapes.items() for dim in shape for _ in range(count)]
