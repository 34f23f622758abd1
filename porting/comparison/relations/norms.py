"""Norms: one missing, one too many, or one of another type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from porting.comparison.relations.factors import fit_affine
from porting.comparison.relations.model import Change, Proposal, wide
from porting.comparison.relations.pair import MARGIN, Pair, enough
from porting.text import show

EPSILONS = (0.0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
CLOSE = 0.3
"""Relative L2 of a fit from which another epsilon is tried."""
MOST_SOURCES = 24
SHORTEST = 3
FEWEST = 1

Norm = Callable[[torch.Tensor, float, int], torch.Tensor]


def _layer(x: torch.Tensor, eps: float, axis: int) -> torch.Tensor:
    centred = x - x.mean(axis, keepdim=True)
    return centred * (centred.square().mean(axis, keepdim=True) + eps).clamp(min=1e-300).rsqrt()


def _rms(x: torch.Tensor, eps: float, axis: int) -> torch.Tensor:
    return x * (x.square().mean(axis, keepdim=True) + eps).clamp(min=1e-300).rsqrt()


def _l2(x: torch.Tensor, eps: float, axis: int) -> torch.Tensor:
    return x / x.square().sum(axis, keepdim=True).sqrt().clamp(min=max(eps, 1e-300))


NORMS: Mapping[str, Norm] = {
    "layer": _layer,
    "rms": _rms,
    "l2": _l2,
    "softmax": lambda x, _, axis: x.softmax(axis),
    "log_softmax": lambda x, _, axis: x.log_softmax(axis),
    "centred": lambda x, _, axis: x - x.mean(axis, keepdim=True),
}
"""Name -> norm over an axis, of a tensor, an epsilon and the axis."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """A norm of one tensor that gives another: its type, epsilon, factors and offsets."""

    name: str
    eps: float
    weight: torch.Tensor | None
    bias: torch.Tensor | None
    terms: tuple[str, ...]
    weights: str
    cost: float

    def text(self) -> str:
        named = {"softmax": "softmax", "log_softmax": "log-softmax", "centred": "less its mean"}
        return named.get(self.name, f"{self.name}-normalised") + (f" with {self.weights}" if self.weights else "")


def propose(pair: Pair) -> Iterator[Proposal]:
    """The right tensor as a norm of the wrong one or of a known one, the wrong one as a norm of the right one."""
    if pair.logical or not pair.right.is_floating_point() or pair.equations < 2 * MARGIN:
        return
    for axis in pair.axes:
        # a norm cannot be judged on a line of which part does not count
        whole = pair.lines(axis).counts.all(1)
        if pair.shape[axis] >= SHORTEST and int(whole.sum()) >= FEWEST:
            yield from _of_wrong(pair, axis, whole)
            yield from _of_known(pair, axis, whole)


def _of_wrong(pair: Pair, axis: int, whole: torch.Tensor) -> Iterator[Proposal]:
    lines = pair.lines(axis)
    found = _fit(pair, lines.wrong[whole], lines.right[whole])
    if found:
        yield _proposal(pair, axis, found, f"not {found.text()} along axis {axis}", lambda wrong: wrong)
        return
    lost = _fit(pair, lines.right[whole], lines.wrong[whole])
    if lost:
        yield Proposal(
            kind="normalised",
            text=f"{lost.text()} along axis {axis}, and should not be",
            terms=lost.terms,
            parameters={"axis": axis, "ported": lost.name, "original": "", "eps": lost.eps},
            change=None,
            cost=0.6 + lost.cost,
        )


def _of_known(pair: Pair, axis: int, whole: torch.Tensor) -> Iterator[Proposal]:
    lines = pair.lines(axis)
    sources = [v for v in pair.views if math.prod(v.tensor.shape) == math.prod(pair.shape)]
    for view in sources[:MOST_SOURCES]:
        x = pair.at_lines(view.tensor, axis)[whole]
        right = _fit(pair, x, lines.right[whole])
        if right is None:
            continue
        wrong = _fit(pair, x, lines.wrong[whole])
        taken = f"{wrong.text()}: the right one is" if wrong else "not"
        text = f"{taken} {right.text()} along axis {axis}, of {view.text}"
        proposal = _proposal(pair, axis, right, text, _always(view.tensor.expand(pair.shape)))
        yield Proposal(
            kind=proposal.kind,
            text=proposal.text,
            terms=(view.name, *right.terms),
            parameters={**proposal.parameters, "ported": wrong.name if wrong else "", "of": view.name},
            change=proposal.change,
            cost=proposal.cost + view.cost + 0.2,
        )


def _always(tensor: torch.Tensor) -> Change:
    return lambda _: wide(tensor)


def _proposal(pair: Pair, axis: int, found: _Fit, text: str, source: Change) -> Proposal:
    form = [-1 if each == axis else 1 for each in range(len(pair.shape))]
    weight = 1.0 if found.weight is None else found.weight.reshape(form)
    bias = 0.0 if found.bias is None else found.bias.reshape(form)
    return Proposal(
        kind="normalised",
        text=text,
        terms=found.terms,
        parameters={"axis": axis, "original": found.name, "ported": "", "eps": found.eps},
        change=lambda wrong: NORMS[found.name](source(wrong), found.eps, axis) * weight + bias,
        cost=0.5 + found.cost,
    )


def _fit(pair: Pair, x: torch.Tensor, y: torch.Tensor) -> _Fit | None:
    """The simplest norm of (lines, length) ``x`` that is ``y``."""
    vectors = _vectors(pair, x.shape[1])
    if float((x - y).abs().max()) <= pair.floor:
        return None
    found: list[_Fit] = []
    for name in NORMS:
        for eps in _epsilons(name, x, y):
            z = NORMS[name](x, eps, -1)
            fit = _with_known(name, eps, z, y, vectors, pair.floor) or _with_fitted(name, eps, z, y, pair)
            if fit:
                found.append(fit)
                break
    return min(found, key=lambda fit: fit.cost, default=None)


def _epsilons(name: str, x: torch.Tensor, y: torch.Tensor) -> Iterator[float]:
    """The epsilons worth trying: the usual ones, and one that was fitted, if the norm is about right."""
    if name not in ("layer", "rms"):
        if name not in ("softmax", "log_softmax") or _sums_to_one(y if name == "softmax" else y.exp()):
            yield 0.0
        return
    if _left(NORMS[name](x, 1e-6, -1), y) > CLOSE and _left(NORMS[name](x, 1e-2, -1), y) > CLOSE:
        return
    yield from sorted(EPSILONS, key=lambda eps: _left(NORMS[name](x, eps, -1), y))[:3]
    low, high = -14.0, 1.0
    for _ in range(40):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if _left(NORMS[name](x, 10**a, -1), y) < _left(NORMS[name](x, 10**b, -1), y):
            high = b
        else:
            low = a
    yield float(f"{10**low:.4g}")


def _left(z: torch.Tensor, y: torch.Tensor) -> float:
    """What the best factors and offsets leave, relative."""
    if len(z) > MARGIN:
        a, b = fit_affine(z, y, torch.ones_like(y, dtype=torch.bool))
        z = a * z + b
    return float((z - y).norm() / y.norm().clamp(min=1e-300))


def _with_known(
    name: str, eps: float, z: torch.Tensor, y: torch.Tensor, vectors: list[tuple[str, torch.Tensor]], floor: float
) -> _Fit | None:
    """No weights, or known ones."""
    if float((z - y).abs().max()) <= floor:
        return _Fit(name, eps, None, None, (), "", 0.0)
    one = torch.ones(z.shape[1], dtype=torch.float64, device="cpu")
    plain = [(each, f"`{show(each)}`", vector) for each, vector in vectors]
    shifted = [(each, f"1 + {text}", 1 + vector) for each, text, vector in plain]
    for weight_name, weight_text, weight in [("", "", one), *plain, *shifted]:
        rest = y - z * weight
        for bias_name, bias_text, bias in [("", "", torch.zeros_like(one)), *plain]:
            if float((rest - bias).abs().max()) <= floor:
                terms = tuple(each for each in (weight_name, bias_name) if each)
                text = " and ".join(each for each in (weight_text, bias_text) if each)
                return _Fit(name, eps, weight, bias, terms, text, 0.1 * len(terms))
    return None


def _with_fitted(name: str, eps: float, z: torch.Tensor, y: torch.Tensor, pair: Pair) -> _Fit | None:
    every = torch.ones_like(y, dtype=torch.bool)
    if len(torch.unique(z.float(), dim=0)) < 2 * MARGIN or not enough(z, every):
        return None
    weight, bias = fit_affine(z, y, every)
    if float((weight * z + bias - y).abs().max()) > pair.floor:
        return None
    return _Fit(name, eps, weight, bias, (), "a weight for each index", 2.0 * z.shape[1])


def _vectors(pair: Pair, length: int) -> list[tuple[str, torch.Tensor]]:
    known = [(n, wide(t).reshape(-1)) for n, t in pair.known.items() if t.is_floating_point() and t.numel() == length]
    return known[:12]


def _sums_to_one(y: torch.Tensor) -> bool:
    return bool(((y.sum(-1) - 1).abs() < 1e-2).all()) and bool((y >= 0).all())
