"""One elementwise function for another, limits and soft caps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch

from porting.comparison.relations.activations import ACTIVATIONS, Function, fitted
from porting.comparison.relations.model import Change, Proposal
from porting.comparison.relations.pair import MARGIN, Pair
from porting.comparison.relations.views import View

COARSE = 128


def propose(pair: Pair) -> Iterator[Proposal]:
    """The functions of the wrong tensor itself first, then those of known tensors."""
    if pair.logical or pair.equations < 2 * MARGIN:
        return
    yield from _limits(pair)
    after = _best(pair.w, pair.r, pair.floor)
    if after and after[0] not in ("identity", "negation"):
        name, function = after
        yield Proposal(
            kind="function",
            text=f"{name} is not applied",
            parameters={"ported": "identity", "original": name},
            change=function,
            cost=0.4 if name in ACTIVATIONS else 1.4,
        )
    yield from _lost(pair)
    for view in pair.views:
        if math.prod(view.tensor.shape) == math.prod(pair.shape):
            yield from _of(pair, view)


def _of(pair: Pair, view: View) -> Iterator[Proposal]:
    """Both are functions of one known tensor."""
    x = pair.sample(view.tensor)
    if not _possible(x, pair):
        return
    right = _best(x, pair.r, pair.floor)
    if right is None:
        return
    wrong = _best(x, pair.w, pair.floor)
    name, function = right
    if name == "identity" and wrong is None:
        return
    taken = f"{wrong[0]} of {view.text}" if wrong else f"not {name} of {view.text}"
    yield Proposal(
        kind="function",
        text=f"{taken}, the right one is {'it itself' if name == 'identity' else name}",
        terms=(view.name,),
        parameters={"ported": wrong[0] if wrong else "", "original": name},
        change=_apply(function, view, pair.shape),
        cost=view.cost + (0.3 if wrong else 0.7) + (0 if name in ACTIVATIONS else 1),
    )


def _lost(pair: Pair) -> Iterator[Proposal]:
    """The wrong tensor is a function of the right one: what that took away cannot be brought back."""
    found = _best(pair.r, pair.w, pair.floor)
    if found and found[0] not in ("identity", "negation") and _best(pair.w, pair.r, pair.floor) is None:
        yield Proposal(
            kind="function",
            text=f"{found[0]} is applied, and should not be",
            parameters={"ported": found[0], "original": "identity"},
            change=None,
            cost=0.5,
        )


def _best(x: torch.Tensor, y: torch.Tensor, floor: float) -> tuple[str, Function] | None:
    """The function that takes ``x`` to ``y`` most closely, if one does down to rounding."""
    if x.shape != y.shape or float(x.max() - x.min()) <= floor:
        return None
    table: Mapping[str, Function] = ACTIVATIONS
    found = _closest(x, y, floor, table)
    return found or _closest(x, y, floor, fitted(x, y))


def _closest(
    x: torch.Tensor, y: torch.Tensor, floor: float, table: Mapping[str, Function]
) -> tuple[str, Function] | None:
    errors: dict[str, float] = {}
    for name, function in table.items():
        if float((function(x[:COARSE]) - y[:COARSE]).abs().max()) <= floor:
            errors[name] = float((function(x) - y).abs().max())
    name = min(errors, key=errors.__getitem__, default="")
    return (name, table[name]) if name and errors[name] <= floor else None


def _possible(x: torch.Tensor, pair: Pair) -> bool:
    """Whether equal values of ``x`` become equal ones: neighbours in order of ``x`` do not jump in both directions."""
    order = x[: 2 * COARSE].argsort()
    steps = pair.r[order].diff()
    turns = int((steps[1:].sign() * steps[:-1].sign() < 0).sum())
    return turns <= len(order) // 4


def _limits(pair: Pair) -> Iterator[Proposal]:
    """The right tensor is the wrong one within limits, hard or soft; or the other way round."""
    for x, y, change in ((pair.w, pair.r, True), (pair.r, pair.w, False)):
        low, high = float(y.min()), float(y.max())
        outside = ((x > high + pair.floor) | (x < low - pair.floor)).sum()
        inside = int(x.numel() - outside)
        clamped = (x.clamp(low, high) - y).abs()
        if int(outside) >= 2 and 4 * inside > x.numel() and float(clamped.max()) <= pair.floor:
            yield _clipped(x, low, high, pair.floor, change=change)
        cap = _cap(x, y)
        if cap and float((cap * torch.tanh(x / cap) - y).abs().max()) <= pair.floor:
            yield Proposal(
                kind="softcapped",
                text=f"{'not soft-capped' if change else 'soft-capped'} at {cap:.6g}",
                parameters={"cap": cap, "ported": "" if change else "softcap"},
                change=_capping(cap) if change else _uncapping(cap),
                slack=None if change else 1 / (1 - (y / cap).square().max()).clamp(min=1e-3),
                cost=0.8,
            )


def _clipped(x: torch.Tensor, low: float, high: float, floor: float, *, change: bool) -> Proposal:
    bottom, top = bool((x < low - floor).any()), bool((x > high + floor).any())
    limits = " and ".join(f"{v:.6g}" for v, used in ((low, bottom), (high, top)) if used)
    ends = (low if bottom else -math.inf, high if top else math.inf)
    return Proposal(
        kind="clipped",
        text=f"{'not clipped' if change else 'clipped'} at {limits}",
        parameters={"low": ends[0], "high": ends[1], "ported": "" if change else "clamp"},
        change=(lambda wrong: wrong.clamp(*ends)) if change else None,
        cost=0.9,
    )


def _cap(x: torch.Tensor, y: torch.Tensor) -> float | None:
    """``c`` for which ``c * tanh(x / c)`` is ``y`` at the largest ``x``, by bisection."""
    place = int(x.abs().argmax())
    a, b = abs(float(x[place])), abs(float(y[place]))
    if not 0.05 * a < b < a * (1 - 1e-4):
        return None
    low, high = b, 1e3 * a
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.tanh(a / middle) < b else (low, middle)
    short = float(f"{low:.3g}")
    return short if math.isclose(low, short, rel_tol=1e-4) else low


def _capping(cap: float) -> Change:
    return lambda wrong: cap * torch.tanh(wrong / cap)


def _uncapping(cap: float) -> Change:
    return lambda wrong: cap * torch.atanh((wrong / cap).clamp(-1, 1))


def _apply(function: Function, view: View, shape: tuple[int, ...]) -> Change:
    return lambda _: function(view.tensor.double()).reshape(shape)
