"""Attention masks: two that let the same positions through are equal, however they say it, also within a bias."""

from __future__ import annotations

import torch

CLOSED = -1e3
"""An additive mask holds zeros and values below this: -1e4 in old models, the dtype's minimum or -inf in new ones."""


def allowed(tensor: torch.Tensor) -> torch.Tensor | None:
    """What a mask lets through, as booleans; None if the tensor is no attention mask.

    Boolean tensors of three or more dimensions are masks that let True through, floating ones are additive masks if
    they hold zeros and very negative values, and nothing else. (A state that starts as a very negative number is not
    one.)
    """
    if tensor.dim() < 3 or not tensor.numel():
        return None
    if tensor.dtype == torch.bool:
        return tensor
    if not tensor.is_floating_point():
        return None
    closed, open_ = tensor < CLOSED, tensor == 0
    return open_ if bool(closed.any()) and bool(open_.any()) and bool((closed | open_).all()) else None


def is_masked_bias(tensor: torch.Tensor) -> bool:
    """Whether a tensor is what is added to scores: a bias where positions are open, very negative where not."""
    if tensor.dim() < 3 or not tensor.is_floating_point() or not tensor.numel():
        return False
    closed = tensor < CLOSED
    return bool(closed.any()) and not bool(closed.all()) and bool((closed | (tensor.abs() < -CLOSED)).all())


def closes_alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two biases of one shape have the same values where they close: then they are compared as they are."""
    if one.shape != other.shape:
        return False
    values = [tensor[tensor < CLOSED].double().cpu() for tensor in (one, other)]
    return torch.equal(*values)


def levelled(bias: torch.Tensor) -> torch.Tensor:
    """A bias with one value for all that is closed: how negative it is makes no difference."""
    return bias.clamp(min=CLOSED)


def closed_like(bias: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
    """A levelled bias in the dtype of ``model``, with its way to close."""
    value = bias.to(model)
    lowest = model.min() if bool((model < CLOSED).any()) else torch.finfo(model.dtype).min
    return torch.where(value <= CLOSED, lowest, value)


def like(mask: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
    """A boolean mask in the manner of ``model``: boolean, or additive with its dtype's minimum.

    Where ``model`` lets the same through, it is its own best likeness: two closed values may differ.
    """
    own = allowed(model)
    if own is not None and torch.equal(own, mask.to(model.device)):
        return model.clone()
    if model.dtype == torch.bool:
        return mask.to(model.device)
    closed = torch.full_like(model, torch.finfo(model.dtype).min)
    return torch.where(mask.to(model.device), torch.zeros_like(model), closed)
