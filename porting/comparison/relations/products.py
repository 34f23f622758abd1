"""Known tensors as factors: a gate missing, a factor too many, the function on the wrong one of two factors."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.comparison.relations.activations import ACTIVATIONS, GATES
from porting.comparison.relations.model import Change, Proposal
from porting.comparison.relations.pair import MARGIN, Pair
from porting.comparison.relations.views import View

COARSE = 32
MOST = 200
ONE_MORE = "1 +"


def propose(pair: Pair) -> Iterator[Proposal]:
    """One known factor more or less; two of them exchanged."""
    views = [view for view in pair.views if view.tensor.is_floating_point()][:MOST]
    if pair.logical or not views or pair.equations < MARGIN:
        return
    samples = torch.stack([pair.sample(view.tensor) for view in views])
    for name in (*GATES, ONE_MORE):
        yield from _factor(pair, views, samples, name)
    swapped = list(_swapped(pair, views, samples))
    yield from swapped or _replaced(pair, views, samples)


def _factor(pair: Pair, views: list[View], samples: torch.Tensor, name: str) -> Iterator[Proposal]:
    values = _through(name, samples[:, :COARSE])
    w, r = pair.w[:COARSE], pair.r[:COARSE]
    more = ((w * values - r).abs().amax(1) <= pair.floor).nonzero()[:, 0].tolist()
    less = ((r * values - w).abs() <= pair.floor * values.abs().clamp(min=1)).all(1).nonzero()[:, 0].tolist()
    for place in more:
        if pair.explains(pair.w * _through(name, samples[place])):
            yield _more(views[place], name)
    for place in less:
        value = _through(name, samples[place])
        slack = (1 / value.abs()).clamp(min=1.0)
        if bool((value != 0).all()) and pair.explains(pair.w / value, slack):
            yield _less(views[place], name)


def _more(view: View, name: str) -> Proposal:
    return Proposal(
        kind="multiplied",
        text=f"not multiplied by {_printed(view, name)}",
        terms=(view.name,),
        parameters={"function": name},
        change=_times(view, name),
        cost=_cost(view, name),
    )


def _less(view: View, name: str) -> Proposal:
    return Proposal(
        kind="divided",
        text=f"multiplied by {_printed(view, name)}, and should not be",
        terms=(view.name,),
        parameters={"function": name},
        change=_over(view, name),
        slack=(1 / _through(name, view.tensor.double()).abs()).clamp(min=1.0),
        cost=_cost(view, name),
    )


def _swapped(pair: Pair, views: list[View], samples: torch.Tensor) -> Iterator[Proposal]:
    """``f(one) * other``, where the right one is ``one * f(other)``."""
    coarse = samples[:, :COARSE]
    for name in GATES[1:]:
        gated = ACTIVATIONS[name](coarse)
        wrong = (gated[:, None] * coarse[None] - pair.w[:COARSE]).abs().amax(2) <= pair.floor
        right = (coarse[:, None] * gated[None] - pair.r[:COARSE]).abs().amax(2) <= pair.floor
        for one, other in (wrong & right).nonzero().tolist():
            if pair.explains(samples[one] * ACTIVATIONS[name](samples[other])):
                yield Proposal(
                    kind="swapped factors",
                    text=f"{name} is applied to {views[one].text}, and not to {views[other].text}",
                    terms=(views[one].name, views[other].name),
                    parameters={"function": name},
                    change=_gate(views[one], views[other], name, pair.shape),
                    cost=0.3 + views[one].cost + views[other].cost,
                )


def _replaced(pair: Pair, views: list[View], samples: torch.Tensor) -> Iterator[Proposal]:
    """``common * one``, where the right one is ``common * other``."""
    coarse = samples[:, :COARSE]
    products = coarse[:, None] * coarse[None]
    wrong = (products - pair.w[:COARSE]).abs().amax(2) <= pair.floor
    right = (products - pair.r[:COARSE]).abs().amax(2) <= pair.floor
    for common in (wrong.any(1) & right.any(1)).nonzero()[:, 0].tolist():
        one, other = int(wrong[common].int().argmax()), int(right[common].int().argmax())
        if pair.explains(samples[common] * samples[other]):
            yield Proposal(
                kind="replaced factor",
                text=f"{views[common].text} is multiplied by {views[one].text} in place of {views[other].text}",
                terms=(views[one].name, views[other].name, views[common].name),
                change=_product(views[common], views[other], pair.shape),
                cost=0.4 + views[one].cost + views[other].cost,
            )
            return


def _through(name: str, values: torch.Tensor) -> torch.Tensor:
    return 1 + values if name == ONE_MORE else ACTIVATIONS[name](values)


def _printed(view: View, name: str) -> str:
    if name == ONE_MORE:
        return f"1 + {view.text}"
    return view.text if name == "identity" else f"{name}({view.text})"


def _cost(view: View, name: str) -> float:
    return view.cost + (0.1 if name == "identity" else 0.3)


def _times(view: View, name: str) -> Change:
    return lambda wrong: wrong * _through(name, view.tensor.double())


def _over(view: View, name: str) -> Change:
    return lambda wrong: wrong / _through(name, view.tensor.double())


def _product(one: View, other: View, shape: tuple[int, ...]) -> Change:
    return lambda _: (one.tensor.double() * other.tensor.double()).expand(shape)


def _gate(one: View, other: View, name: str, shape: tuple[int, ...]) -> Change:
    return lambda _: (one.tensor.double() * ACTIVATIONS[name](other.tensor.double())).expand(shape)
