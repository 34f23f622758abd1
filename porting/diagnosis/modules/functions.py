"""Elementwise functions that models use, and which of them makes one tensor of another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

Function = Callable[[torch.Tensor], torch.Tensor]
NEAR_ZERO = 1e-3
"""Arguments smaller than this say nothing about a function's constants."""
LEAST_SLOPE = 0.05
"""The sigmoid of less than this times x is a constant: that is a scale and no activation."""


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function of one number.

    Attributes:
        kind: ``identity``, ``activation`` or ``softcap``.
        text: what it is, in print.
        apply: computes it.
    """

    kind: str
    text: str
    apply: Function


def _quick_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(1.702 * x)


def _laplace(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * (1.0 + torch.erf((x - math.sqrt(0.5)) / (math.sqrt(0.25 / math.pi) * math.sqrt(2.0))))


def _named(text: str, function: Function) -> Elementwise:
    return Elementwise("activation", text, function)


IDENTITY = Elementwise("identity", "no function", lambda x: x)
FIXED = (
    _named("relu", functional.relu),
    _named("gelu (exact, erf)", functional.gelu),
    _named("gelu (tanh approximation)", lambda x: functional.gelu(x, approximate="tanh")),
    _named("quick gelu (sigmoid of 1.702 x)", _quick_gelu),
    _named("silu", functional.silu),
    _named("tanh", torch.tanh),
    _named("sigmoid", torch.sigmoid),
    _named("squared relu", lambda x: functional.relu(x).square()),
    _named("mish", functional.mish),
    _named("selu", functional.selu),
    _named("softplus", functional.softplus),
    _named("relu6", functional.relu6),
    _named("hardswish", functional.hardswish),
    _named("hardsigmoid", functional.hardsigmoid),
    _named("hardtanh", functional.hardtanh),
    _named("softsign", functional.softsign),
    _named("log sigmoid", functional.logsigmoid),
    _named("squared sigmoid", lambda x: torch.sigmoid(x).square()),
    _named("exp", torch.exp),
    _named("laplace", _laplace),
    _named("gelu clipped at 10", lambda x: functional.gelu(x).clamp(-10, 10)),
    _named("abs", torch.abs),
    _named("square", torch.square),
)
"""Functions without constants of their own."""


def recognised(x: torch.Tensor, y: torch.Tensor, accept: Callable[[Elementwise], bool]) -> Elementwise | None:
    """The function that makes ``y`` of ``x``: none at all, a fixed one, one whose constant is fitted.

    Args:
        x: arguments.
        y: values, of the same shape.
        accept: whether a function's values are those of ``y``, up to rounding.
    """
    return next((function for function in (IDENTITY, *FIXED, *fitted(x, y)) if accept(function)), None)


def fitted(x: torch.Tensor, y: torch.Tensor) -> Iterator[Elementwise]:
    """Functions with one constant, which follows from the values."""
    x, y = x.detach().double().flatten(), y.detach().double().flatten()
    negative, large = x < -NEAR_ZERO, x.abs() > NEAR_ZERO
    if bool(negative.any()) and bool((x > NEAR_ZERO).any()):
        slope = rounded(_weighted(y[negative] / x[negative], x[negative].abs()))
        yield _named(f"leaky relu (slope {slope:g})", lambda x: functional.leaky_relu(x, slope))
        alpha = rounded(_weighted(y[negative] / torch.expm1(x[negative]), x[negative].abs()))
        yield _named(f"elu (alpha {alpha:g})", lambda x: functional.elu(x, alpha))
    share = y[large] / x[large]
    inside = (share > 0.02) & (share < 0.98)
    beta = rounded(_weighted(torch.logit(share[inside]) / x[large][inside], x[large][inside].abs()))
    if abs(beta) > LEAST_SLOPE:
        yield _named(f"swish (x times sigmoid of {beta:g} x)", lambda x: x * torch.sigmoid(beta * x))
    cap = softcap_of(x, y)
    if cap is not None:
        limit = rounded(cap)
        yield Elementwise("softcap", f"soft cap of {limit:g}", lambda x: limit * torch.tanh(x / limit))
    low, high = (rounded(float(y.min())), rounded(float(y.max()))) if y.numel() else (0.0, 0.0)
    within = int(((x > low) & (x < high)).sum())
    if low < high and 4 * within > x.numel():
        yield _named(f"clamp to {low:g} and {high:g}", lambda x: x.clamp(low, high))


def softcap_of(x: torch.Tensor, y: torch.Tensor) -> float | None:
    """The c of ``y = c tanh(x / c)``, from the largest element; None if there is none."""
    if not x.numel():
        return None
    at = int(x.abs().argmax())
    wide, narrow = float(x[at].abs()), float(y[at].abs())
    if not 0 < narrow < wide or float(x[at]) * float(y[at]) < 0:
        return None
    low, high = narrow * (1 + 1e-12), max(1e4 * wide, 1.0)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.tanh(wide / middle) < narrow else (low, middle)
    return low if low < 1e3 * wide else None


def rounded(value: float, nearness: float = 1e-5) -> float:
    """A fitted constant, to the few digits that somebody may have written if it is that near."""
    for kept in (1, 2, 3, 4):
        near = float(f"{value:.{kept}g}")
        if math.isclose(near, value, rel_tol=nearness):
            return near
    return float(f"{value:.6g}")


def _weighted(values: torch.Tensor, weights: torch.Tensor) -> float:
    """Median, of the half of the values that counts more; 0 if there are none."""
    if not values.numel():
        return 0.0
    best = weights.argsort(descending=True)[: max(1, len(weights) // 2)]
    return float(values[best].median())
