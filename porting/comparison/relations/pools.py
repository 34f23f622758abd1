"""Pooled: the mean, the largest or one element along an axis of a known tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch

from porting.comparison.relations.model import Change, Proposal, wide
from porting.comparison.relations.pair import MARGIN, Pair
from porting.text import show

LONGEST = 1 << 16
ELEMENTS = 1 << 20

Pool = Callable[[torch.Tensor], torch.Tensor]

POOLS: Mapping[str, Pool] = {
    "mean": lambda x: x.mean(-1),
    "max": lambda x: x.amax(-1),
    "min": lambda x: x.amin(-1),
    "sum": lambda x: x.sum(-1),
    "first": lambda x: x[..., 0],
    "last": lambda x: x[..., -1],
}
"""Name -> pooling over the last axis."""

MASKED: Mapping[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mean": lambda x, m: (x * m).sum(-1) / m.sum(-1).clamp(min=1),
    "max": lambda x, m: x.masked_fill(m == 0, -torch.inf).amax(-1),
    "sum": lambda x, m: (x * m).sum(-1),
    "last": lambda x, m: x.gather(-1, _last_open(m)).squeeze(-1),
}
"""Name -> pooling over the last axis where a mask of the same shape is open."""


def propose(pair: Pair) -> Iterator[Proposal]:
    """Every known tensor that has one axis more."""
    if pair.logical or len(torch.unique(pair.r)) < MARGIN:
        return
    for name, tensor in pair.known.items():
        for axis in range(tensor.dim()):
            own = tuple(tensor.shape)
            rest, kept = own[:axis] + own[axis + 1 :], (*own[:axis], 1, *own[axis + 1 :])
            if 2 <= own[axis] <= LONGEST and pair.shape in (rest, kept):
                yield from _of(pair, name, tensor, axis)


def _of(pair: Pair, name: str, tensor: torch.Tensor, axis: int) -> Iterator[Proposal]:
    lines, points = _lines(pair, tensor, axis)
    right = _pool(pair, lines, points, pair.r, tensor, axis)
    if right is None:
        return
    wrong = _pool(pair, lines, points, pair.w, tensor, axis) if pair.same_shape else None
    text, label, pool, mask = right
    printed = f"`{show(name)}`"
    instead = f"the {wrong[0]}" if wrong else f"not the {text}"
    yield Proposal(
        kind="pooled",
        text=f"{instead} along axis {axis} of {printed}" + (f", the right one is the {text}" if wrong else ""),
        terms=(name, mask) if mask else (name,),
        parameters={"axis": axis, "ported": wrong[1] if wrong else "", "original": label},
        change=_change(pool, tensor, axis, pair.shape),
        cost=0.2 if wrong else 0.6,
    )


def _lines(pair: Pair, tensor: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Lines of the known tensor at sampled points, and which points they are."""
    points = torch.arange(min(len(pair.r), max(16, ELEMENTS // tensor.shape[axis])), device="cpu")
    index = [place[points] for place in pair.index]
    if tensor.dim() == len(pair.shape):
        del index[axis]
    return wide(tensor.movedim(axis, -1)[tuple(index)]), points


def _pool(
    pair: Pair, lines: torch.Tensor, points: torch.Tensor, values: torch.Tensor, tensor: torch.Tensor, axis: int
) -> tuple[str, str, Pool, str] | None:
    """The pooling that gives the values: in words, by name, as a function of the whole, and the mask it needs."""
    wanted = values[points]
    for name, pool in POOLS.items():
        if _equal(pool(lines), wanted, pair.floor):
            return name, name, pool, ""
    single = ((lines - wanted[:, None]).abs() <= pair.floor).all(0).nonzero()
    if len(single) == 1:
        place = int(single[0])
        return f"element {place}", f"element {place}", lambda x: x[..., place], ""
    for label, mask in _masks(pair, tensor, axis):
        spread = mask.reshape(*mask.shape, *(1,) * (tensor.dim() - mask.dim())).expand(tensor.shape)
        here, _ = _lines(pair, spread, axis)
        for name, masked in MASKED.items():
            if _equal(masked(lines, here), wanted, pair.floor):
                open_ = wide(spread.movedim(axis, -1))
                return f"{name} where `{show(label)}` is open", f"masked {name}", _masked(masked, open_), label
    return None


def _masks(pair: Pair, tensor: torch.Tensor, axis: int) -> Iterator[tuple[str, torch.Tensor]]:
    for name, mask in pair.known.items():
        leading = tuple(mask.shape) == tuple(tensor.shape[: mask.dim()])
        if leading and axis < mask.dim() < tensor.dim() and bool(((mask == 0) | (mask == 1)).all()):
            yield name, mask


def _equal(values: torch.Tensor, wanted: torch.Tensor, floor: float) -> bool:
    return bool(((values - wanted).abs() <= floor).all())


def _last_open(mask: torch.Tensor) -> torch.Tensor:
    place = torch.arange(mask.shape[-1], device="cpu").expand(mask.shape)
    return torch.where(mask != 0, place, 0).amax(-1, keepdim=True)


def _masked(pool: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], mask: torch.Tensor) -> Pool:
    return lambda x: pool(x, mask)


def _change(pool: Pool, tensor: torch.Tensor, axis: int, shape: tuple[int, ...]) -> Change:
    return lambda _: pool(wide(tensor).movedim(axis, -1)).reshape(shape)
