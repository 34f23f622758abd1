"""Activation functions with the constants that are in use, as float64 functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch.nn import functional

Function = Callable[[torch.Tensor], torch.Tensor]


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    """CLIP's approximation: ``x * sigmoid(1.702 x)``."""
    return x * torch.sigmoid(1.702 * x)


def hard_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """``clamp(x / 6 + 1/2, 0, 1)``; torch's own."""
    return functional.hardsigmoid(x)


def squared_relu(x: torch.Tensor) -> torch.Tensor:
    """``relu(x)**2``, of Primer."""
    return functional.relu(x).square()


ACTIVATIONS: Mapping[str, Function] = {
    "identity": lambda x: x,
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "selu": functional.selu,
    "mish": functional.mish,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "hardswish": functional.hardswish,
    "hardsigmoid": hard_sigmoid,
    "hardtanh": functional.hardtanh,
    "relu6": functional.relu6,
    "squared_relu": squared_relu,
    "leaky_relu(0.01)": partial(functional.leaky_relu, negative_slope=0.01),
    "leaky_relu(0.1)": partial(functional.leaky_relu, negative_slope=0.1),
    "leaky_relu(0.2)": partial(functional.leaky_relu, negative_slope=0.2),
    "logsigmoid": functional.logsigmoid,
    "exp": torch.exp,
    "square": torch.square,
    "abs": torch.abs,
    "negation": torch.neg,
    "softcap(30)": lambda x: 30 * torch.tanh(x / 30),
    "softcap(50)": lambda x: 50 * torch.tanh(x / 50),
}
"""Name -> function; every one is elementwise."""

GATES = ("identity", "sigmoid", "silu", "gelu", "gelu_tanh", "relu", "quick_gelu", "tanh", "softplus")
"""The functions through which a gate goes before it is multiplied."""


def fitted(x: torch.Tensor, y: torch.Tensor) -> Mapping[str, Function]:
    """Functions with a constant of their own, fitted so that they might take ``x`` to ``y``.

    Args:
        x: a sample, float64.
        y: what becomes of it.
    """
    found: dict[str, Function] = {}
    slope, alpha, beta = _slope(x, y), _alpha(x, y), _beta(x, y)
    if slope is not None:
        found[f"leaky_relu({slope:.6g})"] = partial(functional.leaky_relu, negative_slope=slope)
    if alpha is not None:
        found[f"elu({alpha:.6g})"] = partial(functional.elu, alpha=alpha)
    if beta is not None:
        found[f"swish({beta:.6g})"] = lambda each: each * torch.sigmoid(beta * each)
    return found


def _slope(x: torch.Tensor, y: torch.Tensor) -> float | None:
    below = x < 0
    if int(below.sum()) < 4:
        return None
    return _rounded(float((x[below] @ y[below]) / (x[below] @ x[below])))


def _alpha(x: torch.Tensor, y: torch.Tensor) -> float | None:
    below = x < 0
    if int(below.sum()) < 4:
        return None
    curve = torch.expm1(x[below])
    return _rounded(float((curve @ y[below]) / (curve @ curve)))


def _beta(x: torch.Tensor, y: torch.Tensor) -> float | None:
    part = torch.where(x != 0, y / torch.where(x != 0, x, 1.0), 0.5)
    usable = (part > 0.05) & (part < 0.95) & (x.abs() > 0.1) & ((part - 0.5).abs() > 0.02)
    if int(usable.sum()) < 4:
        return None
    value = float((torch.logit(part[usable]) / x[usable]).median())
    return _rounded(value) if math.isfinite(value) else None


def _rounded(value: float) -> float:
    """A fitted constant as somebody would have written it, if it is within rounding of that."""
    short = float(f"{value:.4g}")
    return short if math.isclose(value, short, rel_tol=2e-6) else value
