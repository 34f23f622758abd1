"""Scaled and offset: by one number, or by one for each index of an axis."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.comparison.relations.constants import recognise, show_number
from porting.comparison.relations.model import Change, Parameters, Proposal, wide
from porting.comparison.relations.pair import EXPLAINED, LONGEST_AXIS, MARGIN, Lines, Pair, each_axis


def propose(pair: Pair) -> Iterator[Proposal]:
    """One number first; an axis is looked at only where no number will do."""
    if pair.logical:
        if pair.explains(1 - pair.w):
            yield Proposal(kind="sign", text="negated (true where it should be false)", change=_not, cost=0.1)
        return
    simple = [*_scaled(pair), *_offset(pair)] or [*_affine(pair)]
    yield from simple
    if not simple:
        for axis, lines in each_axis(pair):
            yield from _along(pair, axis, lines)
        yield from _by_position(pair)


def _not(wrong: torch.Tensor) -> torch.Tensor:
    return 1 - wrong


def _scaled(pair: Pair) -> Iterator[Proposal]:
    size = float(pair.w @ pair.w)
    if not size or pair.equations < MARGIN:
        return
    factor = float(pair.w @ pair.r) / size
    if not pair.explains(factor * pair.w):
        return
    constant = recognise(factor, lengths_of(pair), precision(pair))
    factor, name = constant or (factor, "")
    if factor == -1:
        yield Proposal(kind="sign", text="negated", change=torch.neg, cost=0.1, parameters={"factor": -1.0})
        return
    yield Proposal(
        kind="scaled",
        text=_scaled_text(factor, name),
        parameters={"factor": factor} | ({"constant": name} if name else {}),
        change=lambda wrong: wrong * factor,
        cost=0.5 if name else 1.0,
    )


def _scaled_text(factor: float, name: str) -> str:
    if not factor:
        return "not zero (the right one is zero everywhere)"
    number = show_number(factor)
    times = number if name in ("", number) else f"{number} = {name}"
    return f"scaled by {show_number(1 / factor)} (the right one is {times} times the wrong one)"


def _offset(pair: Pair) -> Iterator[Proposal]:
    amount = float((pair.r - pair.w).mean())
    if pair.equations < MARGIN or not pair.explains(pair.w + amount):
        return
    constant = recognise(amount, lengths_of(pair), precision(pair))
    exact = constant[0] if constant else amount
    yield Proposal(
        kind="offset",
        text=f"offset by {show_number(-exact)} (the right one is {show_number(exact)} more)",
        parameters={"offset": exact},
        change=lambda wrong: wrong + exact,
        cost=0.5 if constant else 1.0,
    )


def _affine(pair: Pair) -> Iterator[Proposal]:
    """Both at once."""
    if pair.equations < 2 * MARGIN:
        return
    factor, amount = fit_affine(pair.w[:, None], pair.r[:, None], torch.ones_like(pair.r, dtype=torch.bool)[:, None])
    a, b = float(factor), float(amount)
    if not pair.explains(a * pair.w + b):
        return
    yield Proposal(
        kind="affine",
        text=f"the right one is {show_number(a)} times the wrong one, and {show_number(b)} more",
        parameters={"factor": a, "offset": b},
        change=lambda wrong: a * wrong + b,
        cost=2.0,
    )


def _along(pair: Pair, axis: int, lines: Lines) -> Iterator[Proposal]:
    size = (lines.wrong**2).sum(0)
    factors = torch.where(size > 0, (lines.wrong * lines.right).sum(0) / size.clamp(min=1e-300), 1.0)
    amounts = (lines.right - lines.wrong).sum(0) / lines.counts.sum(0).clamp(min=1)
    count = pair.shape[axis]
    values = f"one value for each of the {count} indices of axis {axis}"
    scaled = fits(pair, factors * lines.wrong, lines)
    moved = fits(pair, lines.wrong + amounts, lines)
    if scaled:
        yield Proposal(
            kind="scaled along",
            text=f"not scaled by {values} ({_range(factors)})",
            parameters=_extent(axis, factors),
            change=_by(pair, axis, factors, torch.zeros_like(amounts)),
            cost=float(count),
        )
    if moved:
        yield Proposal(
            kind="offset",
            text=f"not offset by {values} ({_range(amounts)})",
            parameters=_extent(axis, amounts),
            change=_by(pair, axis, torch.ones_like(factors), amounts),
            cost=float(count),
        )
    if not (scaled or moved) and lines.distinct >= 2 * MARGIN:
        factors, amounts = fit_affine(lines.wrong, lines.right, lines.counts)
        if fits(pair, factors * lines.wrong + amounts, lines):
            yield Proposal(
                kind="affine along",
                text=f"scaled and offset by {values} each (factors {_range(factors)})",
                parameters=_extent(axis, factors),
                change=_by(pair, axis, factors, amounts),
                cost=2.0 * count,
            )


def _by_position(pair: Pair) -> Iterator[Proposal]:
    """A factor for each place of the leading axes, where these take few values: of masked tokens, of each sequence."""
    last = len(pair.shape) - 1
    if last < 1 or not MARGIN * 2 <= pair.shape[-1] <= LONGEST_AXIS:
        return
    lines = pair.lines(last)
    if not fits(pair, _factors(lines.wrong, lines.right) * lines.wrong, lines):
        return
    factors = _factors(wide(pair.wrong), wide(pair.right))
    values = _different(factors, precision(pair))
    if factors.numel() < MARGIN * len(values):
        return
    shown = ", ".join(show_number(value) for value in values[:MARGIN])
    yield Proposal(
        kind="scaled along",
        text=f"not scaled by a factor for each position, of {len(values)} different ones ({shown})",
        parameters={"axes": tuple(range(last)), "different": len(values), "lowest": values[0], "highest": values[-1]},
        change=lambda wrong: wrong * factors,
        cost=2.0 + len(values),
    )


def _factors(wrong: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """By least squares over the last axis; 1 where the wrong tensor is zero."""
    size = wrong.square().sum(-1, keepdim=True)
    return torch.where(size > 0, (wrong * right).sum(-1, keepdim=True) / size.clamp(min=1e-300), 1.0)


def _different(values: torch.Tensor, tolerance: float) -> list[float]:
    """The values that are further apart than they are known precisely, in order."""
    ordered = values.reshape(-1).sort().values
    new = torch.cat(
        [torch.ones(1, dtype=torch.bool, device="cpu"), ordered.diff() > 8 * tolerance * ordered.abs().max()]
    )
    return [float(value) for value in ordered[new]]


def fits(pair: Pair, values: torch.Tensor, lines: Lines) -> bool:
    """Whether values on lines are the right ones, down to rounding."""
    error = (values - lines.right).abs()[lines.counts]
    before = (lines.wrong - lines.right)[lines.counts]
    return bool((error <= pair.floor).all()) and float(error.norm()) <= EXPLAINED * float(before.norm())


def fit_affine(x: torch.Tensor, y: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and offset by least squares for each column of (lines, length); 1 and the mean where x is constant."""
    number = counts.sum(0).clamp(min=1)
    x_mean, y_mean = (x * counts).sum(0) / number, (y * counts).sum(0) / number
    dx, dy = (x - x_mean) * counts, (y - y_mean) * counts
    size = (dx**2).sum(0)
    factor = torch.where(size > 0, (dx * dy).sum(0) / size.clamp(min=1e-300), 1.0)
    return factor, y_mean - factor * x_mean


def lengths_of(pair: Pair) -> list[int]:
    """Lengths of all axes at hand, of the pair and of the known tensors."""
    return [*pair.shape, *(length for tensor in pair.known.values() for length in tensor.shape)]


def precision(pair: Pair) -> float:
    """How precisely a factor can be known, relative."""
    return max(1e-6, pair.floor / pair.scale) if pair.scale else 1e-6


def _by(pair: Pair, axis: int, factors: torch.Tensor, amounts: torch.Tensor) -> Change:
    form = [-1 if each == axis else 1 for each in range(len(pair.shape))]
    a, b = factors.reshape(form), amounts.reshape(form)
    return lambda wrong: wrong * a + b


def _range(values: torch.Tensor) -> str:
    return f"{show_number(float(values.min()))} to {show_number(float(values.max()))}"


def _extent(axis: int, values: torch.Tensor) -> Parameters:
    return {"axis": axis, "lowest": float(values.min()), "highest": float(values.max())}
