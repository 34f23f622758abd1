"""Evidence from places: where two modules are, seen from the pairs that are known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from porting.alignment.sides import Side, numbered


class Placing:
    """Where two modules are, seen from the pairs that are known: between the same neighbours, below the same parents.

    Every matrix is (original, ported).
    """

    def __init__(self, original: Side, ported: Side, held: np.ndarray, pairs: Mapping[int, int]) -> None:
        """``held`` is the share of the weights that modules have in common."""
        self.sides = (original, ported)
        self.held = held
        self.pairs = pairs
        self.known = np.zeros(held.shape, np.float32)
        for row, column in pairs.items():
            self.known[row, column] = 1.0

    @cached_property
    def _gaps(self) -> tuple[np.ndarray, np.ndarray]:
        """How many of the pairs in order come before each module of either side."""
        rows, columns = in_order(self.pairs)
        count_left, count_right = self.held.shape
        return np.searchsorted(rows, np.arange(count_left)), np.searchsorted(columns, np.arange(count_right))

    @cached_property
    def place(self) -> np.ndarray:
        """Whether no known pair lies between the two in the order of execution; bool."""
        one, other = self._gaps
        found: np.ndarray = one[:, None] == other[None, :]
        return found

    @cached_property
    def nearness(self) -> np.ndarray:
        """1 at the same place, less the more known pairs lie between."""
        one, other = self._gaps
        most = max(int(one.max(initial=0)), 1)
        left, right = (np.linspace(0, 1, max(count, 2))[:count] for count in self.held.shape)
        apart = np.abs(one[:, None] - other[None, :]) / most
        found: np.ndarray = 0.8 * (1 - apart) + 0.2 * (1 - np.abs(left[:, None] - right[None, :]))
        return found

    @cached_property
    def parents(self) -> tuple[np.ndarray, np.ndarray]:
        """The original row of the nearest known pair above each module, by original and by ported row; -1 if none."""
        inverse = {column: row for row, column in self.pairs.items()}
        return (
            _nearest(self.sides[0], self.pairs, {row: row for row in self.pairs}),
            _nearest(self.sides[1], inverse, inverse),
        )

    @cached_property
    def below(self) -> np.ndarray:
        """Whether the nearest known pair above them is the same; bool."""
        one, other = self.parents
        found: np.ndarray = one[:, None] == other[None, :]
        return found

    @cached_property
    def torn(self) -> np.ndarray:
        """0 to 1, how much a known pair above them, of which only one is above the other, contradicts."""
        above_left, above_right = (side.above.astype(np.float32) for side in self.sides)
        doubt = self.known * (1.0 - self.held.astype(np.float32))
        over_left = above_left.T @ doubt
        over_right = doubt @ above_right
        only_left = over_left.sum(1)[:, None] - over_left @ above_right
        only_right = over_right.sum(0)[None, :] - above_left.T @ over_right
        found: np.ndarray = np.clip(np.maximum(only_left, only_right), 0.0, 1.0)
        return found

    @cached_property
    def role(self) -> np.ndarray:
        """0 to 1, how often modules of these roles are known pairs."""
        one, other, count = numbered(*(side.roles for side in self.sides))
        votes = np.zeros((count, count), np.float32)
        for row, column in self.pairs.items():
            votes[one[row], other[column]] += 1
        most = np.maximum(votes.sum(1)[:, None], votes.sum(0)[None, :])
        found: np.ndarray = (votes / np.maximum(most, 1))[np.ix_(one, other)]
        return found


def in_order(pairs: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The longest run of pairs that both sides execute in the same order: rows and columns, increasing."""
    ends: list[int] = []
    last: list[int] = []
    before: dict[int, int | None] = {}
    for row in sorted(pairs):
        at = int(np.searchsorted(ends, pairs[row]))
        before[row] = last[at - 1] if at else None
        ends[at : at + 1] = [pairs[row]]
        last[at : at + 1] = [row]
    found: list[int] = []
    row_: int | None = last[-1] if last else None
    while row_ is not None:
        found.append(row_)
        row_ = before[row_]
    rows = np.array(found[::-1], int)
    return rows, np.array([pairs[row] for row in rows.tolist()], int)


def _nearest(side: Side, known: Mapping[int, int], name: Mapping[int, int]) -> np.ndarray:
    nearest = np.full(len(side.paths), -1)
    for row, call in enumerate(side.calls):
        parent = side.trace.parent_of(call)
        if parent is not None:
            over = side.row[parent.path]
            nearest[row] = name[over] if over in known else nearest[over]
    return nearest
