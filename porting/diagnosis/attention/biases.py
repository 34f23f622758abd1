"""What is added to the scores of an attention: what it closes, and what it adds to the rest."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.diagnosis.attention.model import Attention

CLOSED = -1e3
"""A bias below this closes a position."""


def is_open(attention: Attention) -> torch.Tensor:
    """What each query sees: (batch, heads or 1, queries, keys)."""
    batch, _, length, keys = attention.shape()
    device = attention.query.before.device
    if attention.bias is None:
        return torch.ones(batch, 1, length, keys, dtype=torch.bool, device=device)
    seen = attention.bias > CLOSED
    return seen.expand(batch, seen.shape[-3] if seen.dim() > 2 else 1, length, keys)


def soft_bias(attention: Attention) -> torch.Tensor | None:
    """What is added to open positions, 0 elsewhere; None if nothing is."""
    if attention.bias is None:
        return None
    soft = torch.where(attention.bias > CLOSED, attention.bias, 0.0)
    return soft if bool(soft.any()) else None


def views_as_bias(tensor: torch.Tensor, port: Attention) -> Iterator[torch.Tensor]:
    """A tensor as (batch or 1, heads or 1, queries, keys), where it can be read so and holds no mask."""
    batch, heads, length, keys = port.shape()
    if not tensor.numel() or float(tensor.min()) <= CLOSED or not bool(tensor.any()):
        return
    tensor = tensor[..., -keys:] if tensor.dim() > 2 and tensor.shape[-1] > keys else tensor
    if tensor.dim() == 2 and tensor.shape == (length, keys):
        yield tensor[None, None]
    if tensor.dim() == 3:
        tensor = tensor.reshape(batch, heads, *tensor.shape[1:]) if len(tensor) == batch * heads else tensor[None]
    if tensor.dim() != 4 or len(tensor) not in (1, batch):
        return
    for order in ((0, 1, 2, 3), (0, 3, 1, 2), (0, 3, 2, 1), (0, 1, 3, 2)):
        view = tensor.permute(order)
        fits = all(a in (1, b) for a, b in zip(view.shape[1:], (heads, length, keys), strict=True))
        if fits and view.shape[-2:] != (1, 1):
            yield view
