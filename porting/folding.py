"""Fold names that differ only by numbers: ``layer.{0...5}.weight``. No gap is hidden, nothing invented."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBER = re.compile(r"(?:(?<=[./_])|^)(0|[1-9][0-9]{0,8})(?=[./]|$)")
MAX_NUMBERS = 6

Point = tuple[int, ...]
Box = tuple[tuple[int, ...], ...]


class Folded(NamedTuple):
    """Several names in one.

    Attributes:
        name: the names' common text, with the numbers that occur in braces.
        members: the positions of the names in what was folded, ascending.
    """

    name: str
    members: tuple[int, ...]


def fold(names: Sequence[str]) -> list[Folded]:
    """Fold names that differ only by numbers that are a part of their own: ``layer.0``, ``block/0`` or ``block_0``.

    A folded name stands for exactly its members: ``a.{0...2, 5}.{0, 1}`` for eight names. Rows that differ in
    anything else are to be folded apart, so group them by their other columns first.

    Args:
        names: names with dots or slashes, in the order in which they are to be shown.

    Returns:
        The folded names, each at the place of its first member.
    """
    groups: dict[tuple[str, ...], dict[Point, list[int]]] = {}
    for position, name in enumerate(names):
        texts, numbers = _split(name)
        groups.setdefault(texts, {}).setdefault(numbers, []).append(position)
    folded = [
        Folded(_join(texts, box), tuple(sorted(at for point in _points(box) for at in places[point])))
        for texts, places in groups.items()
        for box in _boxes(list(places))
    ]
    return sorted(folded, key=lambda row: row.members[0])


def _split(name: str) -> tuple[tuple[str, ...], Point]:
    parts = NUMBER.split(name)
    if len(parts) > 2 * MAX_NUMBERS + 1:
        return (name,), ()
    return tuple(parts[::2]), tuple(int(part) for part in parts[1::2])


def _boxes(points: list[Point]) -> list[Box]:
    """Cover the points exactly by products of number sets: first numbers with equal rests go together."""
    if not points[0]:
        return [()]
    rests: dict[int, list[Point]] = {}
    for first, *rest in points:
        rests.setdefault(first, []).append(tuple(rest))
    firsts: dict[tuple[Point, ...], list[int]] = {}
    for first, remainder in rests.items():
        firsts.setdefault(tuple(sorted(remainder)), []).append(first)
    return [(tuple(sorted(group)), *box) for rest, group in firsts.items() for box in _boxes(list(rest))]


def _points(box: Box) -> list[Point]:
    points: list[Point] = [()]
    for numbers in box:
        points = [(*point, number) for point in points for number in numbers]
    return points


def _join(texts: tuple[str, ...], box: Box) -> str:
    return texts[0] + "".join(braces(numbers) + text for numbers, text in zip(box, texts[1:], strict=True))


def braces(numbers: Sequence[int]) -> str:
    """Ascending numbers in print: one as it is, several in braces."""
    if len(numbers) == 1:
        return str(numbers[0])
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return "{" + ", ".join(_run(run) for run in runs) + "}"


def _run(run: list[int]) -> str:
    return f"{run[0]}...{run[-1]}" if len(run) > 2 else ", ".join(map(str, run))
