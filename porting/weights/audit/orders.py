"""In which order one tensor holds the slices of another, and that order in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, permutations

import torch

MOST_BLOCKS = 6
"""Blocks whose orders are tried: three projections, four gates."""
PROBES = 12
"""Places that are looked at before an order is written out."""


@dataclass(frozen=True, eq=False)
class Order:
    """The slices of one tensor as another holds them.

    Attributes:
        taken: the index of the checkpoint's slice that the model has at each index.
        kind: ``reversed``, ``blocks``, ``grid``, ``shifted``, ``some`` or ``other``.
        words: what the order is, about the model's.
    """

    taken: torch.Tensor
    kind: str
    words: str


def order_of(model: torch.Tensor, given: torch.Tensor) -> Order | None:
    """How slices with the signatures ``given`` were reordered to those of ``model``; None if they were not.

    Slices that are equal may stand for each other: the plainest order that fits is taken.
    """
    if model.shape != given.shape or torch.equal(model, given):
        return None
    to, of = model.argsort(stable=True), given.argsort(stable=True)
    if not torch.equal(model[to], given[of]):
        return None
    for kind, words, known in chain(_known(len(model)), _fitting_grids(model.tolist(), given.tolist())):
        if torch.equal(given[known], model):
            return Order(known, kind, words)
    return _within(model, given) or _composed(model, given) or _any(model, given, to, of)


def index_words(indices: torch.Tensor) -> str:
    """Indices in words: ``3 to 17``, or the first few of them."""
    numbers: list[int] = indices.tolist()
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers[:6])) + (" …" if len(numbers) > 6 else "")


def _within(model: torch.Tensor, given: torch.Tensor) -> Order | None:
    """The order of a part, where the rest stayed in its place."""
    moved = (model != given).nonzero().flatten()
    first, last = int(moved[0]), int(moved[-1]) + 1
    if last - first == len(model):
        return None
    inner = order_of(model[first:last], given[first:last])
    if inner is None or inner.kind == "other":
        return None
    taken = torch.arange(len(model))
    taken[first:last] = inner.taken + first
    return Order(taken, "some", f"of {first} to {last - 1}, {inner.words}")


def _composed(model: torch.Tensor, given: torch.Tensor) -> Order | None:
    """The same order in each piece of one length, or an order of pieces that stay whole."""
    count = torch.arange(len(model))
    for size in _divisors(len(model))[1:-1]:
        inner = order_of(model[:size], given[:size])
        if inner is None or inner.kind == "other":
            continue
        taken = (count.reshape(-1, size)[:, :1] + inner.taken).reshape(-1)
        if torch.equal(given[taken], model):
            return Order(taken, inner.kind, f"of each {size} of them, {inner.words}")
    return None


def _any(model: torch.Tensor, given: torch.Tensor, to: torch.Tensor, of: torch.Tensor) -> Order:
    taken = torch.empty_like(to)
    taken[to] = of
    moved = (model != given).nonzero().flatten()
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + (taken.diff() != 1).nonzero().flatten()])
    size = math.gcd(len(model), *starts.tolist())
    if size > 1:
        inner = order_of(taken[::size], torch.arange(0, len(model), size))
        if inner is not None and inner.kind != "other":
            return Order(taken, inner.kind, f"of their {len(model) // size} blocks of {size}, {inner.words}")
    if len(moved) == 2:
        return Order(taken, "some", f"{int(moved[0])} and {int(moved[1])} are exchanged")
    return Order(taken, "other", f"{len(moved):,} of {len(model):,} are in another place")


def _known(length: int) -> Iterator[tuple[str, str, torch.Tensor]]:
    count = torch.arange(length)
    yield "reversed", "they are reversed", count.flip(0)
    for blocks in range(2, MOST_BLOCKS + 1):
        if length % blocks == 0 and length > blocks:
            for order in permutations(range(blocks)):
                words = f"their {blocks} blocks come in the order {', '.join(map(str, order))}"
                yield "blocks", words, count.reshape(blocks, -1)[list(order)].reshape(-1)
    for shift in (1, 2, -1, -2):
        if length > 2:
            yield "shifted", f"they are shifted by {shift}", count.roll(shift)


def _fitting_grids(model: Sequence[int], given: Sequence[int]) -> Iterator[tuple[str, str, torch.Tensor]]:
    """Two axes exchanged within blocks, as those of heads and halves, that fit at a few places."""
    length = len(model)
    probes = sorted({length * number // PROBES + number % 2 for number in range(PROBES)})
    for outer, one, other in _grids(length):
        rest = length // (outer * one * other)
        if all(model[at] == given[_source(at, one, other, rest)] for at in probes if at < length):
            taken = torch.arange(length).reshape(outer, one, other, rest).transpose(1, 2).reshape(-1)
            yield "grid", _grid(length, outer, one, other), taken


def _source(at: int, one: int, other: int, rest: int) -> int:
    """The place in ``[outer, one, other, rest]`` of what is at a place in ``[outer, other, one, rest]``."""
    block, within = divmod(at, one * other * rest)
    first, within = divmod(within, one * rest)
    second, within = divmod(within, rest)
    return ((block * one + second) * other + first) * rest + within


def _grids(length: int) -> Iterator[tuple[int, int, int]]:
    """Ways to cut a length into ``outer x one x other x rest``, the plainest first."""
    for outer in _divisors(length):
        for one in _divisors(length // outer)[1:]:
            for other in _divisors(length // (outer * one))[1:]:
                yield outer, one, other


@lru_cache(maxsize=1024)
def _divisors(length: int) -> list[int]:
    low = [size for size in range(1, math.isqrt(length) + 1) if length % size == 0]
    return sorted({*low, *(length // size for size in low)})


def _grid(length: int, outer: int, one: int, other: int) -> str:
    size = length // outer
    each = f"each {size} of them" if outer > 1 else "they"
    if one == 2 and other * one == size:
        return f"{each} are in pairs, the checkpoint's in halves"
    if other == 2 and other * one == size:
        return f"{each} are in halves, the checkpoint's in pairs"
    block = size // (one * other)
    what = f"blocks of {block}" if block > 1 else "single ones"
    return f"{each} are {other} by {one} {what}, the checkpoint's {one} by {other}"
