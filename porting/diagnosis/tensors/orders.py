"""Orders in which projections keep their rows: fused ones by blocks or heads, rotary ones in halves or pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from porting.trace.parts import Scalar

_THREE = ("q", "k", "v")


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Rows in another order.

    Attributes:
        summary: how the port keeps them and how the original may.
        rows: the indices in which the port's rows must be taken.
    """

    summary: str
    rows: np.ndarray


def head_counts(settings: Mapping[str, Scalar], width: int) -> list[int]:
    """How many heads a width may have, from settings that speak of heads: their number, or their size."""
    found = []
    for name, value in settings.items():
        if "head" in name.lower() and type(value) is int and value > 0 and width % value == 0:
            found += [width // value, value] if "dim" in name or "size" in name else [value, width // value]
    return [count for count in dict.fromkeys(found) if 1 < count < width]


def fused_orders(rows: int, settings: Mapping[str, Scalar]) -> Iterator[Order]:
    """Orders of a fused query, key and value: by blocks in another order, by heads for blocks, grouped queries."""
    if rows % 3 == 0:
        blocks = np.arange(rows).reshape(3, -1)
        for order in list(permutations(range(3)))[1:]:
            kept = ", ".join(_THREE[order.index(index)] for index in range(3))
            yield Order(f"in the order {kept}, the original has q, k, v", blocks[list(order)].reshape(-1))
        for heads in head_counts(settings, rows // 3):
            by_head = np.arange(rows).reshape(heads, 3, -1).swapaxes(0, 1).reshape(-1)
            by_block = np.arange(rows).reshape(3, heads, -1).swapaxes(0, 1).reshape(-1)
            yield Order(f"as [q | k | v], the original keeps those of each of {heads} heads together", by_block)
            yield Order(f"with those of each of {heads} heads together, the original as [q | k | v]", by_head)
    yield from _grouped(rows, settings)


def _grouped(rows: int, settings: Mapping[str, Scalar]) -> Iterator[Order]:
    named = [value for name, value in settings.items() if "head" in name.lower() or "group" in name.lower()]
    numbers = sorted({value for value in named if type(value) is int and value > 0})
    for groups in numbers:
        for heads in numbers:
            if heads <= groups or heads % groups or rows % (heads + 2 * groups):
                continue
            size = rows // (heads + 2 * groups)
            count = np.arange(rows)
            parts = np.split(count, [heads * size, (heads + groups) * size])
            by_group = np.concatenate([part.reshape(groups, -1) for part in parts], axis=1).reshape(-1)
            yield Order(f"as [q | k | v], the original keeps each of {groups} groups together", by_group)
            yield Order(f"with each of {groups} groups together, the original as [q | k | v]", np.argsort(by_group))


def gate_order(rows: int) -> Iterator[Order]:
    """The halves of a fused gate and up projection exchanged, or taken in turns."""
    if rows % 2 == 0:
        halves = np.arange(rows).reshape(2, -1)
        yield Order("with its halves the other way round than the original's", halves[::-1].reshape(-1))
        yield Order("in halves, the original's rows take turns", halves.T.reshape(-1))
        yield Order(
            "with rows that take turns, the original's are in halves", np.arange(rows).reshape(-1, 2).T.reshape(-1)
        )


def rotary_orders(rows: int, heads: int) -> Iterator[Order]:
    """The rows of each head in halves for pairs, and the other way round."""
    size = rows // heads
    if size % 2 == 0 and size > 2:
        count = np.arange(rows)
        pairs = count.reshape(heads, 2, size // 2).swapaxes(1, 2).reshape(-1)
        halves = count.reshape(heads, size // 2, 2).swapaxes(1, 2).reshape(-1)
        yield Order(f"for a rotation of halves of {size}, the rotation takes pairs", pairs)
        yield Order(f"for a rotation of pairs in {size}, the rotation takes halves", halves)
