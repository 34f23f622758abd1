"""Evidence from weights: a converted port holds the original's tensors, possibly transposed, permuted or fused."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from porting.alignment.sides import Side, ancestors
from porting.trace import ParameterInfo, Sketch, shared_rows

CLOSE = 1e-2
"""Relative distance of signatures below which contents count as the same: bfloat16 rounding moves them by 2e-3."""
FUSED_SHARE = 0.95
"""Share of a tensor's rows that must be found in another for it to be a part of it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor that tells something: its values are not all the same."""

    owner: str
    tensor: ParameterInfo
    sketch: Sketch


@dataclass(frozen=True, slots=True)
class Fused:
    """A tensor of one side (``whole``) that holds the rows of several of the other."""

    whole: int
    parts: tuple[int, ...]


class Contents:
    """Which tensors of the two sides are the same, and what that says of the modules that hold them.

    Attributes:
        left: the original's telling tensors.
        right: the port's.
        same: (left, right), how they correspond: 0 not, 1 equal, 2 transposed, 3 rows or columns in another order,
            4 with axes split or merged.
        split: the original's fused tensors.
        fused: the port's.
    """

    def __init__(self, original: Side, ported: Side) -> None:
        self.sides = (original, ported)
        self.left, self.right = (_telling(side) for side in self.sides)
        self.same = _compared(self.left, self.right)
        alone_left, alone_right = (np.asarray(~self.same.any(axis)) for axis in (1, 0))
        self.split = list(_fused(self.left, self.right, alone_left, alone_right))
        self.fused = list(_fused(self.right, self.left, alone_right, alone_left))

    @cached_property
    def _labels(self) -> tuple[list[set[int]], list[set[int]]]:
        """What each tensor contains, as numbers that are equal for equal contents."""
        left: list[set[int]] = [{row} for row in range(len(self.left))]
        right: list[set[int]] = [set() for _ in self.right]
        unused = len(self.left)
        for column in range(len(self.right)):
            rows = np.flatnonzero(self.same[:, column])
            if len(rows):
                first = min(left[rows[0]])
                for row in rows:
                    left[row] = {first}
                right[column] = {first}
            else:
                right[column] = {unused}
                unused += 1
        for group in self.split:
            left[group.whole] = set().union(*(right[part] for part in group.parts))
        for group in self.fused:
            right[group.whole] = set().union(*(left[part] for part in group.parts))
        return left, right

    @cached_property
    def own(self) -> np.ndarray:
        """Share of the tensors that two modules own themselves and have in common, 0 to 1."""
        return self._share(below=False)

    @cached_property
    def held(self) -> np.ndarray:
        """The same with what lies below them."""
        return self._share(below=True)

    @cached_property
    def tells(self) -> tuple[np.ndarray, np.ndarray]:
        """Which modules of either side hold tensors that tell something; bool."""
        one, other = self._tables(below=True)
        return np.asarray(one.any(1)), np.asarray(other.any(1))

    def _share(self, *, below: bool) -> np.ndarray:
        one, other = self._tables(below=below)
        common = one @ other.T
        most = np.maximum(one.sum(1)[:, None], other.sum(1)[None, :])
        share: np.ndarray = common / np.maximum(most, 1)
        return share

    def _tables(self, *, below: bool) -> tuple[np.ndarray, np.ndarray]:
        size = 1 + max((label for labels in self._labels for each in labels for label in each), default=0)
        tables = []
        for side, held, labels in zip(self.sides, (self.left, self.right), self._labels, strict=True):
            table = np.zeros((len(side.paths), size), np.float32)
            for each, numbers in zip(held, labels, strict=True):
                holders = ancestors(each.owner) if below else [each.owner]
                for path in holders:
                    if path in side.row:
                        table[side.row[path], list(numbers)] = 1
            tables.append(table)
        return tables[0], tables[1]

    def manner(self, one: str, other: str) -> int:
        """How the largest tensor that two modules own and share corresponds, as in `same`; 0 if they share none."""
        rows = [row for row, each in enumerate(self.left) if each.owner == one]
        columns = [column for column, each in enumerate(self.right) if each.owner == other]
        pairs = [(row, column) for row in rows for column in columns if self.same[row, column]]
        largest = max(pairs, key=lambda pair: int(np.prod(self.left[pair[0]].tensor.shape)), default=None)
        return int(self.same[largest]) if largest else 0


def _telling(side: Side) -> list[Held]:
    return [
        Held(module.path, parameter, parameter.sketch)
        for module in side.trace.modules.values()
        for parameter in module.parameters
        if parameter.kind != "non-persistent buffer"
        and parameter.sketch is not None
        and parameter.shape
        and not _constant(parameter.sketch)
    ]


def _constant(sketch: Sketch) -> bool:
    return all(axis.size < 2 or bool(np.ptp(axis) == 0) for axis in sketch.axes)


def _compared(left: Sequence[Held], right: Sequence[Held]) -> np.ndarray:
    same = np.zeros((len(left), len(right)), np.int8)
    buckets: dict[tuple[int, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, held in enumerate((left, right)):
        for number, each in enumerate(held):
            buckets[tuple(sorted(each.tensor.shape))][side].append(number)
    for rows, columns in buckets.values():
        if rows and columns:
            for row, column in _candidates([left[row] for row in rows], [right[column] for column in columns]):
                same[rows[row], columns[column]] = _manner(left[rows[row]], right[columns[column]])
    _strongest(same)
    for row, column in _of_one_size(left, right, same):
        if reshaped(left[row].tensor, right[column].tensor):
            same[row, column] = 4
    return same


def _of_one_size(left: Sequence[Held], right: Sequence[Held], same: np.ndarray) -> Iterator[tuple[int, int]]:
    """Tensors of as many elements and other dimensions, of those that were not found yet."""
    sizes: dict[int, list[int]] = defaultdict(list)
    for column in np.flatnonzero(~same.any(0)).tolist():
        sizes[math.prod(right[column].tensor.shape)].append(column)
    for row in np.flatnonzero(~same.any(1)).tolist():
        yield from ((row, column) for column in sizes[math.prod(left[row].tensor.shape)])


def reshaped(one: ParameterInfo, other: ParameterInfo) -> bool:
    """Whether one tensor is the other with axes split or merged, perhaps of the transposed matrix.

    The slices along an axis that is whole on both sides have the same elements in the same order, and so the same
    signatures. One of the two must have three dimensions or more.
    """
    if one.sketch is None or other.sketch is None or sorted(one.shape) == sorted(other.shape):
        return False
    if math.prod(one.shape) != math.prod(other.shape) or min(len(one.shape), len(other.shape)) < 2:
        return False
    a, b = one.sketch.axes, other.sketch.axes
    whole = [(a[0], b[0])]
    whole += [(a[0], b[-1])] if len(other.shape) == 2 else []
    whole += [(a[-1], b[0])] if len(one.shape) == 2 else []
    return any(len(x) == len(y) > 1 and np.ptp(x) > 0 and _close(x, y) for x, y in whole)


def _candidates(left: Sequence[Held], right: Sequence[Held]) -> Iterator[tuple[int, int]]:
    """Tensors that could be the same in one of the manners, by the norm and sum of an axis, which no order changes."""
    one, other = (np.array([_figures(each.sketch) for each in held]) for held in (left, right))
    near = np.zeros((len(left), len(right)), bool)
    for axis in range(one.shape[1]):
        for partner in range(other.shape[1]):
            a, b = one[:, None, axis], other[None, :, partner]
            bound = CLOSE * np.maximum(a[..., 0], b[..., 0])
            near |= (np.abs(a - b) <= bound[..., None] * (1, 3)).all(-1)
    return zip(*(index.tolist() for index in np.nonzero(near)), strict=True)


def _figures(sketch: Sketch) -> list[tuple[float, float]]:
    return [(float(np.linalg.norm(axis)), float(axis.sum())) for axis in sketch.axes]


def _manner(one: Held, other: Held) -> int:
    """How two tensors correspond, as in `Contents.same`."""
    a, b = one.sketch, other.sketch
    equal_shapes = one.tensor.shape == other.tensor.shape
    if equal_shapes and one.tensor.dtype == other.tensor.dtype and a.crc32 == b.crc32:
        return 1
    if equal_shapes and all(_close(x, y) for x, y in zip(a.axes, b.axes, strict=True)):
        return 1
    if len(one.tensor.shape) > 2:
        return 0
    if (
        one.tensor.shape == other.tensor.shape[::-1]
        and _close(a.axes[0], b.axes[-1])
        and _close(a.axes[-1], b.axes[0])
    ):
        return 2
    views = zip(_views(a), _views(b), strict=True)
    return 3 if equal_shapes and any(shared_rows(x, y) >= FUSED_SHARE for x, y in views) else 0


def _views(sketch: Sketch) -> list[Sketch]:
    """A sketch and that of the transposed tensor."""
    axes = tuple(sketch.axes)
    return [sketch] if len(axes) < 2 else [sketch, Sketch(axes[::-1], 0)]


def _strongest(same: np.ndarray) -> None:
    """Where a tensor is found as it is, it is not looked for in another order."""
    plain = (same == 1) | (same == 2)
    same[(same == 3) & (plain.any(1)[:, None] | plain.any(0)[None, :])] = 0


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    scale = float(np.linalg.norm(a))
    return float(np.linalg.norm(a - b)) <= CLOSE * scale if scale else not b.any()


def _fused(
    wholes: Sequence[Held], parts: Sequence[Held], alone: np.ndarray, alone_parts: np.ndarray
) -> Iterator[Fused]:
    """Tensors that hold the rows of several others, perhaps interleaved or transposed."""
    free = [number for number in range(len(parts)) if alone_parts[number]]
    for number in np.flatnonzero(alone).tolist():
        whole = wholes[number]
        found = [part for part in free if _is_part(whole, parts[part])]
        if len(found) > 1:
            free = [part for part in free if part not in found]
            yield Fused(number, tuple(found))


def _is_part(whole: Held, part: Held) -> bool:
    if len(whole.tensor.shape) != len(part.tensor.shape) or len(part.tensor.shape) > 2:
        return False
    views = zip((whole.tensor.shape, whole.tensor.shape[::-1]), _views(whole.sketch), strict=False)
    return any(
        shape[1:] == part.tensor.shape[1:]
        and part.tensor.shape[0] < shape[0]
        and shared_rows(view, part.sketch) >= FUSED_SHARE
        for shape, view in views
    )
