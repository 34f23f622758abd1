"""Permutations: found from signatures, and named when they are known ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

MOST_BLOCKS = 4
"""Blocks in whose order fused weights are kept: four gates, three projections, two halves."""


def order_between(wanted: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """The order in which ``seen`` must be taken to give ``wanted``; None if it is no permutation, or is in order."""
    if wanted.shape != seen.shape or wanted.size < 2:
        return None
    to, of = np.argsort(wanted, kind="stable"), np.argsort(seen, kind="stable")
    scale = float(np.linalg.norm(wanted))
    if not scale or float(np.linalg.norm(wanted[to] - seen[of])) > 1e-6 * scale or not np.ptp(wanted):
        return None
    order = np.empty(len(to), dtype=np.int64)
    order[to] = of
    return None if bool((order == np.arange(len(order))).all()) else order


def named(order: np.ndarray) -> tuple[str, str]:
    """Kind and description of the order in which the port's entries must be taken to give the original's.

    The kind is ``blocks``, ``interleaved``, ``shifted``, ``reversed``, ``grid`` or empty.
    """
    length = len(order)
    for kind, text, known in _known(length):
        if bool((order == known).all()):
            return kind, text
    moved = np.flatnonzero(order != np.arange(length))
    if len(moved) == 2:
        return "", f"entries {moved[0]} and {moved[1]} are exchanged"
    return "", f"{len(moved)} of {length} entries are in another place"


def _known(length: int) -> Iterator[tuple[str, str, np.ndarray]]:
    count = np.arange(length)
    yield "reversed", "they are reversed", count[::-1]
    for blocks in range(2, MOST_BLOCKS + 1):
        if length % blocks == 0 and length > blocks:
            for order in permutations(range(blocks)):
                taken = count.reshape(blocks, -1)[list(order)].reshape(-1)
                yield (
                    "blocks",
                    f"their {blocks} blocks come in another order (the original's are {_list(order)})",
                    taken,
                )
    for shift in {1, 2, length - 1, length - 2} - {0}:
        yield "shifted", f"they are shifted by {shift if shift <= 2 else shift - length}", np.roll(count, -shift)
    for size in _divisors(length):
        heads = length // size
        if size % 2 == 0:
            view = count.reshape(heads, 2, size // 2)
            yield "interleaved", _rope(size, "halves", "pairs"), view.swapaxes(1, 2).reshape(-1)
            view = count.reshape(heads, size // 2, 2)
            yield "interleaved", _rope(size, "pairs", "halves"), view.swapaxes(1, 2).reshape(-1)
    yield from _grids(length)


def _grids(length: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Two axes flattened in the other order, after up to two entries for special tokens."""
    for extra in range(3):
        rest = np.arange(extra, length)
        for rows in _divisors(len(rest)):
            if 1 < rows < len(rest):
                turned = rest.reshape(rows, -1).T.reshape(-1)
                text = f"{rows} by {len(rest) // rows} of them are flattened column by column"
                yield "grid", text, np.concatenate([np.arange(extra), turned])


def _divisors(length: int) -> list[int]:
    return [size for size in range(2, length + 1) if length % size == 0]


def _rope(size: int, mine: str, theirs: str) -> str:
    return f"of each {size} they are kept in {mine}, the original's in {theirs}"


def _list(order: tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in order)
