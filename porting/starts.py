"""Which random start values look like."""

from __future__ import annotations

import math

import torch


def start_like(values: torch.Tensor) -> str:
    """The initialisation that values look like, as a predicate; empty if like none."""
    flat = values.detach().double().reshape(-1)
    if not values.is_floating_point() or not flat.numel():
        return ""
    if float(flat.max()) == float(flat.min()):
        return "is zero" if not float(flat[0]) else f"is {float(flat[0]):g} everywhere"
    spread = float(flat.std())
    if flat.numel() < 64 or abs(float(flat.mean())) > 5 * spread / math.sqrt(flat.numel()):
        return ""
    kurtosis = float(((flat - flat.mean()) / spread).pow(4).mean())
    slack = 5 * math.sqrt(24 / flat.numel())
    if abs(kurtosis - 1.8) < min(0.3, slack):
        return f"looks like a uniform random start within {float(flat.abs().max()):.2g}"
    return f"looks like a normal random start of deviation {spread:.2g}" if abs(kurtosis - 3) < max(0.3, slack) else ""
