"""Masked only: both tensors are equal but at certain places, as where a mask is closed."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.comparison.masks import allowed
from porting.comparison.relations.model import Change, Parameters, Proposal, wide
from porting.comparison.relations.pair import BITS, MARGIN, Pair
from porting.comparison.relations.views import View

MOST_PLACES = 4
UNREPAIRED = 1000.0
"""To know where is less than to know what: it comes last."""
LARGEST_SHARE = 0.75
"""Of the sampled points; where more differ, the tensors are not equal but at some places."""


def propose(pair: Pair) -> Iterator[Proposal]:
    """By a known mask, else by position along one axis."""
    same = _agree(pair.w, pair.r, pair.floor)
    share = 1 - float(same.double().mean())
    varied = int(torch.unique(pair.r[same]).numel()) >= (2 if pair.logical else MARGIN)
    if not varied or pair.evidence(pair.r[same]) < BITS or share > LARGEST_SHARE:
        return
    differs = ~_agree(wide(pair.wrong), wide(pair.right), pair.floor)
    if pair.valid is not None:
        differs &= pair.valid
    if not bool(differs.any()) or bool(differs.all()):
        return
    found = False
    for view in pair.masks:
        for closed, text in _closed(view):
            if not bool((differs & ~closed).any()) and _tells(differs, closed, pair.shape):
                found = True
                yield _masked(pair, closed, f"where {text}", (view.name,), {"mask": view.name}, 0.2)
    if not found:
        yield from _positions(pair, differs)


def beyond(pair: Pair) -> Iterator[Proposal]:
    """Where everything valid is equal: whether something that is not valid differs."""
    assert pair.valid is not None
    differs = ~_agree(wide(pair.wrong), wide(pair.right), pair.floor)
    if bool(differs.any()):
        text = "different only where nothing is valid"
        yield Proposal(kind="masked only", text=text, parameters={"mask": "valid"}, change=None, cost=0.1)


def _agree(wrong: torch.Tensor, right: torch.Tensor, floor: float) -> torch.Tensor:
    close = (wrong - right).abs() <= floor
    return close | (wrong == right) | (wrong.isnan() & right.isnan())


def _closed(view: View) -> Iterator[tuple[torch.Tensor, str]]:
    mask = allowed(view.tensor)
    if mask is None:
        mask = view.tensor != 0
    yield ~mask, f"{view.text} is closed"
    yield mask, f"{view.text} is open"


def _tells(differs: torch.Tensor, closed: torch.Tensor, shape: tuple[int, ...]) -> bool:
    """Whether the mask says where: it is no larger than twice what differs, and leaves something out."""
    places = int(closed.expand(shape).sum())
    return int(differs.sum()) >= MARGIN and places <= 2 * int(differs.sum()) and places < differs.numel()


def _positions(pair: Pair, differs: torch.Tensor) -> Iterator[Proposal]:
    """At a few indices of one axis, at its beginning or at its end."""
    for axis in pair.axes:
        others = tuple(other for other in range(len(pair.shape)) if other != axis)
        affected = differs.any(dim=others) if others else differs
        places = affected.nonzero()[:, 0].tolist()
        length = pair.shape[axis]
        if 2 * len(places) > length or length < 3:
            continue
        run = places[-1] - places[0] + 1 == len(places)
        if not run and len(places) > MOST_PLACES:
            continue
        closed = affected.reshape([-1 if each == axis else 1 for each in range(len(pair.shape))])
        where = _where(places, length, run=run)
        parameters: Parameters = {"axis": axis, "indices": tuple(places[:MOST_PLACES]), "count": len(places)}
        yield _masked(pair, closed, f"at {where} of axis {axis}", (), parameters, 1.0 if run else float(len(places)))


def _where(places: list[int], length: int, *, run: bool) -> str:
    if run and places[0] == 0:
        return "the first index" if len(places) == 1 else f"the first {len(places)} indices"
    if run and places[-1] == length - 1:
        return "the last index" if len(places) == 1 else f"the last {len(places)} indices"
    if len(places) == 1:
        return f"index {places[0]}"
    return f"indices {places[0]} to {places[-1]}" if run else f"indices {', '.join(map(str, places))}"


def _masked(
    pair: Pair,
    closed: torch.Tensor,
    where: str,
    terms: tuple[str, ...],
    parameters: Parameters,
    cost: float,
) -> Proposal:
    change, text, more = _filled(pair, closed)
    return Proposal(
        kind="masked only",
        text=f"different only {where}{text}",
        terms=(*terms, *more),
        parameters=parameters,
        change=change,
        cost=cost if change else cost + UNREPAIRED,
    )


def _filled(pair: Pair, closed: torch.Tensor) -> tuple[Change | None, str, tuple[str, ...]]:
    """What the right tensor has there: one value, a known tensor, or something else."""
    inside = wide(pair.right[closed.expand(pair.shape)])
    low, high = float(inside.min()), float(inside.max())
    if high - low <= pair.floor or low == high:
        value = torch.tensor(low, dtype=torch.float64, device="cpu")
        return (lambda wrong: torch.where(closed, value, wrong)), f", where the right one is {low:.6g}", ()
    for view in pair.views:
        held = wide(view.tensor.expand(pair.shape)[closed.expand(pair.shape)])
        if bool(((held - inside).abs() <= pair.floor).all()):
            known = wide(view.tensor)
            change: Change = lambda wrong, known=known: torch.where(closed, known, wrong)  # type: ignore[misc] # noqa: E731
            return change, f", where the right one is {view.text}", (view.name,)
    return None, "", ()
