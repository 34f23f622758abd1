"""What shapes and names of tensors say of a model's settings, before anything is built.

This file also runs alone, beside `trial`, in the original's own interpreter: Python 3.7 and the standard library.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

Shape = Tuple[int, ...]
Shapes = Mapping[str, Shape]
Facts = Dict[str, List[Any]]

WORDS, OTHERS = re.compile("emb|tok|wte|vocab", re.IGNORECASE), re.compile("pos|type|seg|patch", re.IGNORECASE)
"""In the names of a table of tokens, and of other tables."""
NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
NUMBERED = re.compile(r"(.*?)_?(\d{1,4})")
RANKS = 3
"""Widths of a stage that may be meant, the most frequent ones."""
MOST_STAGES, MOST_TOWERS = 12, 4
"""Lists of stages, and parts of a model, that are looked at."""
LARGE = 0.1
"""Share of the tensors from which a part is one for itself."""


def facts_of(shapes: Shapes) -> Facts:
    """What shapes say of a model, by concept, the likeliest first.

    Of a model with several large parts, what each says in turn. ``depths`` are lists of the lengths of stages,
    ``widths`` lists of their widths; all else are numbers.
    """
    towers = _towers(shapes)
    whole = _facts(shapes)
    found = [whole, *map(_facts, towers)] if len(towers) > 1 else [whole]
    stages = list(_stages(shapes))
    return {
        **{name: _in_turn([each[name] for each in found]) for name in whole},
        "dims": whole["dims"],
        "depths": _once([depths for depths, _ in stages if depths]),
        "widths": _once([widths for _, ways in stages for widths in ways]),
    }


def _facts(shapes: Shapes) -> Facts:
    matrices = [shape for shape in shapes.values() if len(shape) == 2]
    dims = Counter(dim for shape in shapes.values() for dim in set(shape) if len(shape) <= 3 and dim > 1)
    hidden = [dim for dim, _ in dims.most_common(6)]
    width = hidden[0] if hidden else 64
    tables = sorted({shape[0] for shape in matrices if shape[1] == width}, reverse=True)
    named = [shape[0] for name, shape in shapes.items() if shape and WORDS.search(name) and not OTHERS.search(name)]
    words = set(named)
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
        "kernels": sorted({dim for shape in shapes.values() if len(shape) > 2 for dim in shape[2:]}),
    }


def _towers(shapes: Shapes) -> List[Dict[str, Shape]]:
    """The large parts of a model, as an encoder and a decoder are; none where there is one."""
    prefix: Tuple[str, ...] = ()
    while True:
        groups: Dict[str, Dict[str, Shape]] = {}
        for name, shape in shapes.items():
            parts = tuple(name.split("."))
            if parts[: len(prefix)] == prefix and len(parts) > len(prefix):
                groups.setdefault(parts[len(prefix)], {})[name] = shape
        large = {part: group for part, group in groups.items() if len(group) >= LARGE * len(shapes)}
        if len(large) != 1 or len(prefix) > MOST_TOWERS:
            apart = [group for part, group in large.items() if not NUMBERED.fullmatch(part)]
            return sorted(apart, key=len, reverse=True)[:MOST_TOWERS]
        prefix += tuple(large)


def _lengths(shapes: Shapes) -> List[int]:
    """How long the lists of modules are, the longest first."""
    found: Dict[str, Set[str]] = {}
    for name in shapes:
        for each in NUMBER.finditer(name):
            found.setdefault(NUMBER.sub("*", name[: each.start()]), set()).add(each.group())
    return sorted({len(numbers) for numbers in found.values()}, reverse=True)


def _stages(shapes: Shapes) -> Iterator[Tuple[List[int], List[List[int]]]]:
    """Lists of stages, the largest first: how many blocks each stage has, if any, and which widths may be its own."""
    lists = {path: members for path, members in _numbered(shapes).items() if len(members) > 1}
    for path in sorted(lists, key=lambda path: -sum(map(len, lists[path].values())))[:MOST_STAGES]:
        members = [lists[path][number] for number in sorted(lists[path])]
        depths = [_blocks(each) for each in members]
        common = [_widths(each) for each in members]
        ways = [[each[min(rank, len(each) - 1)] for each in common] for rank in range(RANKS)] if all(common) else []
        yield (depths if any(depths) else []), ways


def _numbered(shapes: Shapes) -> Dict[str, Dict[int, Dict[str, Shape]]]:
    """The tensors of every numbered list, by its path and the number: of ``layer1`` as of ``layers.1``."""
    found: Dict[str, Dict[int, Dict[str, Shape]]] = {}
    for name, shape in shapes.items():
        parts = name.split(".")
        for at, part in enumerate(parts[:-1]):
            number = NUMBERED.fullmatch(part)
            if number:
                path = ".".join([*parts[:at], number.group(1)])
                rest = ".".join(parts[at + 1 :])
                found.setdefault(path, {}).setdefault(int(number.group(2)), {})[rest] = shape
    return found


def _blocks(stage: Shapes) -> int:
    """How many blocks a stage has: the length of the list in it that most of its tensors are in; 0 without one."""
    lists = _numbered(stage)
    largest = max(lists.values(), key=lambda members: sum(map(len, members.values())), default={})
    return len(largest)


def _widths(stage: Shapes) -> List[int]:
    counts = Counter(dim for shape in stage.values() for dim in shape if dim > 1)
    return [dim for dim, _ in counts.most_common(RANKS)]


def _sides(rows: int) -> List[int]:
    """The sides of a square of so many positions, with up to two more in front."""
    return [round(n**0.5) for n in (rows - 1, rows, rows - 2) if n > 0 and round(n**0.5) ** 2 == n]


def _in_turn(lists: Sequence[Sequence[Any]]) -> List[Any]:
    """The members of several lists, the first of each before the second of any, each once."""
    longest = max(map(len, lists), default=0)
    return _once([each[at] for at in range(longest) for each in lists if at < len(each)])


def _once(values: Sequence[Any]) -> List[Any]:
    found: List[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
