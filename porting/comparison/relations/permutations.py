"""Names for permutations: reversal, rotation, regrouping, blocks in another order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

from porting.comparison.relations.model import Parameters

LONGEST = 1 << 13
FEW_RUNS = 4
MOST_RUNS = 8


def name_permutation(order: torch.Tensor) -> tuple[str, Parameters, float]:
    """What a permutation is: in words, as parameters, and about how many free parameters it has.

    Args:
        order: (length,); the right element i is the wrong element ``order[i]``.
    """
    runs = _runs(order)
    if 2 < len(runs) <= FEW_RUNS and len(order) >= 2 * len(runs):
        return _blocks(runs)
    for text, parameters, cost, candidate in _candidates(len(order)):
        if torch.equal(order, candidate):
            return text, parameters, cost
    moved = (order != torch.arange(len(order), device="cpu")).nonzero()[:, 0].tolist()
    if len(moved) == 2:
        return f"indices {moved[0]} and {moved[1]} exchanged", {"name": "exchange", "indices": tuple(moved)}, 2.0
    if len(runs) == 2:
        return f"rotated by {runs[0][0]}", {"name": "rotation", "by": runs[0][0]}, 1.0
    if len(runs) <= min(MOST_RUNS, len(order) // 2):
        return _blocks(runs)
    inner = _within(order)
    if inner is not None:
        return inner
    return f"in another order ({len(moved)} of {len(order)} moved)", {"name": "permutation"}, float(len(moved))


def _blocks(runs: list[tuple[int, int]]) -> tuple[str, Parameters, float]:
    blocks = ", ".join(f"{start}:{stop}" for start, stop in runs)
    starts = tuple(start for start, _ in runs)
    return f"blocks in another order (right: {blocks})", {"name": "blocks", "starts": starts}, float(len(runs))


def _candidates(length: int) -> Iterator[tuple[str, Parameters, float, torch.Tensor]]:
    place = torch.arange(length, device="cpu")
    yield "reversed", {"name": "reversal"}, 0.5, place.flip(0)
    if length > LONGEST:
        return
    divisors = [d for d in range(2, length) if length % d == 0]
    for a in divisors:
        b = length // a
        text = f"grouped as [{a}, {b}], where the right one is grouped as [{b}, {a}]"
        if a == 2:
            text = "in halves, where the right one interleaves them"
        elif b == 2:
            text = "interleaved, where the right one keeps halves"
        yield text, {"name": "regrouping", "groups": (a, b)}, 0.6, place.reshape(a, b).T.reshape(-1)
    for a in divisors:
        for b in (d for d in divisors if length % (a * d) == 0 and length // (a * d) > 1):
            shape = (a, b, length // (a * b))
            for axes in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
                text = f"grouped as {list(shape)}, where the right one has {[shape[i] for i in axes]}"
                order = place.reshape(shape).permute(axes).reshape(-1)
                parameters: Parameters = {"name": "regrouping", "groups": shape, "axes": axes}
                yield text, parameters, 0.8, order


def _runs(order: torch.Tensor) -> list[tuple[int, int]]:
    """The stretches of consecutive indices, as (start, stop)."""
    breaks = (order.diff() != 1).nonzero()[:, 0] + 1
    bounds = [0, *breaks.tolist(), len(order)]
    return [(int(order[a]), int(order[b - 1]) + 1) for a, b in pairwise(bounds)]


def _within(order: torch.Tensor) -> tuple[str, Parameters, float] | None:
    """The same permutation in each of several equal groups, or whole groups in another order."""
    length = len(order)
    for size in (d for d in range(2, length // 2 + 1) if length % d == 0):
        groups = order.reshape(-1, size)
        start = torch.arange(0, length, size, device="cpu")[:, None]
        if torch.equal(groups - start, (groups[0]).expand_as(groups)) and int(groups[0].max()) < size:
            text, parameters, cost = name_permutation(groups[0])
            return f"within each {size}: {text}", {**parameters, "within": size}, cost + 0.3
    return None
