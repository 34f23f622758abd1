"""Known tensors as terms: one missing, one too many, one taken for another."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from porting.comparison.relations.constants import recognise, show_number
from porting.comparison.relations.factors import fits, lengths_of, precision
from porting.comparison.relations.model import Change, Proposal
from porting.comparison.relations.pair import MARGIN, Pair
from porting.comparison.relations.views import View

COARSE = 64
MOST = 400
"""Known tensors of which every two are tried."""


def propose(pair: Pair) -> Iterator[Proposal]:
    """What one known tensor explains; two, where one does not."""
    views = pair.views[:MOST]
    if pair.logical or not views:
        yield from _itself(pair, views, [])
        return
    samples = torch.stack([pair.sample(view.tensor) for view in views])
    yield from _itself(pair, views, list(samples))
    if not pair.same_shape or pair.equations < MARGIN:
        return
    single = list(_single(pair, views, samples))
    yield from single
    if not single:
        yield from _exchanged(pair, views, samples)
        yield from _scaled_terms(pair, views)


def _itself(pair: Pair, views: list[View], samples: list[torch.Tensor]) -> Iterator[Proposal]:
    """The right tensor is a known one."""
    samples = samples or [pair.sample(view.tensor) for view in views]
    if torch.unique(pair.r).numel() < (2 if pair.logical else MARGIN):
        return
    taken = next((v for v, s in zip(views, samples, strict=True) if pair.same_shape and _close(pair, s, pair.w)), None)
    for view, sample in zip(views, samples, strict=True):
        if not pair.explains(sample):
            continue
        instead = f" and not {taken.text}" if taken else ""
        yield Proposal(
            kind="other tensor",
            text=f"another tensor: the right one is {view.text}{instead}",
            terms=(view.name, taken.name) if taken else (view.name,),
            change=_put(view, pair.shape),
            cost=view.cost + (0.15 if taken else 0.6),
        )


def _single(pair: Pair, views: list[View], samples: torch.Tensor) -> Iterator[Proposal]:
    difference = pair.r - pair.w
    amounts = (samples @ difference) / samples.square().sum(1)
    left = (difference[None] - amounts[:, None] * samples).abs().amax(1)
    for place in (left <= pair.floor).nonzero()[:, 0].tolist():
        view, amount = views[place], float(amounts[place])
        constant = recognise(amount, lengths_of(pair), precision(pair) * 4)
        amount = constant[0] if constant else amount
        if pair.explains(pair.w + amount * samples[place]):
            yield _term(view, amount, constant[1] if constant else "")


def _term(view: View, amount: float, name: str) -> Proposal:
    size, times = abs(amount), name.lstrip("-") or show_number(abs(amount))
    what = view.text if size == 1 else f"{times} times {view.text}"
    return Proposal(
        kind="missing" if amount > 0 else "added",
        text=f"{what} is not added" if amount > 0 else f"{what} is added, and should not be",
        terms=(view.name,),
        parameters={"factor": amount},
        change=_plus(view, amount),
        cost=view.cost + (0.1 if size == 1 else 0.6 if name else 1.1),
    )


def _exchanged(pair: Pair, views: list[View], samples: torch.Tensor) -> Iterator[Proposal]:
    """The right tensor has one known term where the wrong one has another: ``right = wrong - one + other``."""
    difference = pair.r - pair.w
    coarse = samples[:, :COARSE]
    wanted = coarse + difference[:COARSE]
    scale = coarse.abs().amax() + pair.scale
    distances = torch.cdist(wanted, coarse, p=2.0, compute_mode="donot_use_mm_for_euclid_dist")
    near = (distances <= (pair.floor + 1e-9 * scale) * COARSE**0.5).nonzero().tolist()
    for one, other in near:
        if one == other or not pair.explains(pair.w - samples[one] + samples[other]):
            continue
        yield Proposal(
            kind="replaced",
            text=f"{views[one].text} is added in place of {views[other].text}",
            terms=(views[one].name, views[other].name),
            change=_instead(views[one], views[other]),
            cost=views[one].cost + views[other].cost + 0.3,
        )


def _scaled_terms(pair: Pair, views: list[View]) -> Iterator[Proposal]:
    """A term has a known factor for each index of an axis: ``right = wrong + (factors - 1) * term``."""
    for axis in pair.axes:
        form = tuple(length if each == axis else 1 for each, length in enumerate(pair.shape))
        vectors = [view for view in views if _padded(view.tensor, len(form)) == form]
        whole = [view for view in views if math.prod(view.tensor.shape) == math.prod(pair.shape)] if vectors else []
        for view in whole:
            lines, term = pair.lines(axis), pair.at_lines(view.tensor, axis)
            for vector in vectors:
                if fits(pair, lines.wrong + (vector.tensor.double().reshape(-1) - 1) * term, lines):
                    yield Proposal(
                        kind="scaled term",
                        text=f"{view.text} is not scaled by {vector.text} before it is added",
                        terms=(view.name, vector.name),
                        change=_plus_scaled(view, vector),
                        cost=0.4 + view.cost + vector.cost,
                    )


def _padded(tensor: torch.Tensor, dims: int) -> tuple[int, ...]:
    return (*(1,) * (dims - tensor.dim()), *tensor.shape)


def _plus_scaled(view: View, vector: View) -> Change:
    return lambda wrong: wrong + (vector.tensor.double() - 1) * view.tensor.double()


def _close(pair: Pair, one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(((one - other).abs() <= pair.floor).all())


def _plus(view: View, amount: float) -> Change:
    return lambda wrong: wrong + amount * view.tensor.double()


def _instead(one: View, other: View) -> Change:
    return lambda wrong: wrong - one.tensor.double() + other.tensor.double()


def _put(view: View, shape: tuple[int, ...]) -> Change:
    return lambda _: view.tensor.double().expand(shape).clone()
