"""Permuted and shifted along an axis, found from the contents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from porting.comparison.relations.model import Change, Proposal
from porting.comparison.relations.pair import Lines, Pair
from porting.comparison.relations.permutations import name_permutation

COMPARED = 2048
"""Length up to which all columns are compared with all."""
COLUMN = 8
FARTHEST = 16
"""Most places by which a shift is tried."""
FEWEST_LINES = 2
MOST_TERMS = 24
"""Known tensors that are thought of as added after the elements were put in order."""


def propose(pair: Pair) -> Iterator[Proposal]:
    """Along each axis, last first; then before a known tensor was added."""
    found = list(_plain(pair))
    yield from found
    if not found and not pair.logical:
        yield from _before_a_term(pair)


def _plain(pair: Pair) -> Iterator[Proposal]:
    for axis in pair.axes:
        lines = pair.lines(axis)
        order = _order(lines, pair.floor)
        if order is not None:
            text, parameters, cost = name_permutation(order)
            yield Proposal(
                kind="permuted",
                text=f"permuted along axis {axis}: {text}",
                parameters={**parameters, "axis": axis},
                change=_select(axis, order),
                cost=cost,
            )
        else:
            yield from _shifted(pair, axis, lines)


def _before_a_term(pair: Pair) -> Iterator[Proposal]:
    """Both have a known term, as positions, and the rest of the wrong one is permuted."""
    for view in pair.views[:MOST_TERMS]:
        for axis in pair.axes:
            lines, term = pair.lines(axis), pair.at_lines(view.tensor, axis)
            order = _order(replace(lines, wrong=lines.wrong - term, right=lines.right - term), pair.floor)
            if order is not None:
                text, parameters, cost = name_permutation(order)
                yield Proposal(
                    kind="permuted",
                    text=f"permuted along axis {axis} before {view.text} was added: {text}",
                    terms=(view.name,),
                    parameters={**parameters, "axis": axis},
                    change=_select_before(axis, order, view.tensor),
                    cost=cost + view.cost + 0.5,
                )
                return


def _order(lines: Lines, floor: float) -> torch.Tensor | None:
    """Where each right column is found in the wrong tensor; None if there is no such permutation, or no other."""
    length = lines.wrong.shape[1]
    if not bool(lines.counts.all(1).any()):
        return None
    whole = lines.counts.all(1)
    wrong, right = lines.wrong[whole].T, lines.right[whole].T
    if not _alike(wrong, right, floor) or _distinct(right, floor) <= length // 2:
        return None
    order = _nearest(wrong, right) if length <= COMPARED else _sorted(wrong, right)
    place = torch.arange(length, device="cpu")
    if torch.equal(order, place) or not torch.equal(order.sort().values, place):
        return None
    return order if bool(((wrong[order] - right).abs() <= floor).all()) else None


def _alike(wrong: torch.Tensor, right: torch.Tensor, floor: float) -> bool:
    """Whether both hold the same columns, as far as the sorted values of the first lines can tell."""
    for line in range(min(4, wrong.shape[1])):
        apart = wrong[:, line].sort().values - right[:, line].sort().values
        if float(apart.abs().max()) > floor:
            return False
    return True


def _distinct(columns: torch.Tensor, floor: float) -> int:
    """How many columns differ from their neighbour in the order of their sum of values, seen one by one."""
    weights = torch.linspace(1, 2, columns.shape[1], dtype=torch.float64, device="cpu").sin()
    ordered = columns[(columns @ weights).argsort()]
    return 1 + int(((ordered.diff(dim=0)).abs().amax(1) > 4 * floor).sum())


def _nearest(wrong: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The closest wrong column of each right one; equal columns are taken in order."""
    distances = torch.cdist(right[:, :COLUMN], wrong[:, :COLUMN], compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distances.argmin(1)
    if len(torch.unique(nearest)) == len(nearest):
        return nearest
    return _sorted(wrong, right)


def _sorted(wrong: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    weights = torch.linspace(1, 2, wrong.shape[1], dtype=torch.float64, device="cpu").sin()
    order = torch.empty(len(wrong), dtype=torch.long, device="cpu")
    order[(right @ weights).argsort(stable=True)] = (wrong @ weights).argsort(stable=True)
    return order


def _shifted(pair: Pair, axis: int, lines: Lines) -> Iterator[Proposal]:
    """The right element i is the wrong element ``i + by``, but at the border."""
    length = lines.wrong.shape[1]
    if lines.total < FEWEST_LINES and length < 2 * FARTHEST:
        return
    for by in sorted(range(-min(FARTHEST, length // 2), min(FARTHEST, length // 2) + 1), key=abs):
        if by and _holds(pair, lines, by):
            where = _inside(pair, axis, by)
            border = _border(pair, axis, by)
            yield Proposal(
                kind="shifted",
                text=f"shifted along axis {axis} by {-by} ({_border_text(border)})",
                parameters={"axis": axis, "by": -by},
                change=_shift(axis, by, border),
                cost=0.9,
                where=where if border is None else None,
            )
            return


def _holds(pair: Pair, lines: Lines, by: int) -> bool:
    wrong, right = _overlap(lines.wrong, by), _overlap(lines.right, -by)
    counts = _overlap(lines.counts, by) & _overlap(lines.counts, -by)
    error, own = (wrong - right).abs()[counts], (_overlap(lines.wrong, -by) - right).abs()[counts]
    several = bool((right.amax(1) - right.amin(1) > 8 * pair.floor).any())
    return bool(counts.any()) and several and float(error.max()) <= pair.floor < float(own.max()) / 10


def _overlap(values: torch.Tensor, by: int) -> torch.Tensor:
    """What is left of each line when ``by`` places are cut off, at the front if positive."""
    return values[:, by:] if by > 0 else values[:, :by]


def _inside(pair: Pair, axis: int, by: int) -> torch.Tensor:
    where = torch.ones(pair.shape, dtype=torch.bool, device="cpu")
    where.movedim(axis, -1)[..., slice(-by, None) if by > 0 else slice(None, -by)] = False
    return where


def _border(pair: Pair, axis: int, by: int) -> float | None:
    """The one value that the right tensor has where nothing can be shifted in; None if it has several."""
    line = pair.right.movedim(axis, -1)
    edge = line[..., -by:] if by > 0 else line[..., :-by]
    low, high = float(edge.min()), float(edge.max())
    return low if high - low <= pair.floor else None


def _border_text(border: float | None) -> str:
    return "the border is not judged" if border is None else f"the border is {border:.6g}"


def _shift(axis: int, by: int, border: float | None) -> Change:
    def change(wrong: torch.Tensor) -> torch.Tensor:
        moved = wrong.roll(-by, axis)
        edge = moved.movedim(axis, -1)
        part = slice(-by, None) if by > 0 else slice(None, -by)
        edge[..., part] = wrong.movedim(axis, -1)[..., part] if border is None else border
        return moved

    return change


def _select_before(axis: int, order: torch.Tensor, term: torch.Tensor) -> Change:
    return lambda wrong: (wrong - term.double()).index_select(axis, order) + term.double()


def _select(axis: int, order: torch.Tensor) -> Change:
    return lambda wrong: wrong.index_select(axis, order)
