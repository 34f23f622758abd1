"""Which tensors of a model are one, and which its configuration says should be."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def one_tensor(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two are the same object or lie at the same place of the same memory."""
    if one is other:
        return True
    if one.is_meta or other.is_meta or not one.numel() or one.shape != other.shape:
        return False
    return tuple(one.stride()) == tuple(other.stride()) and one.data_ptr() == other.data_ptr()


def wanted_ties(model: torch.nn.Module) -> dict[str, str]:
    """What the model's class and configuration say is tied: name to the name that it is tied to.

    Transformers forgets a tie that it could not make while loading (`porting.weights.matching.declared_ties` gives
    those it knows of), so its classes are asked anew.
    """
    declared: object = getattr(model, "_tied_weights_keys", None)
    if callable(expand := getattr(model, "get_expanded_tied_weights_keys", None)):
        declared = expand(all_submodels=True)
    return dict(declared) if isinstance(declared, Mapping) else {}


def broken_ties(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The declared ties between tensors that are two: name to the name that it should be tied to."""
    return {
        name: partner
        for name, partner in wanted_ties(model).items()
        if name in tensors and partner in tensors and not one_tensor(tensors[name], tensors[partner])
    }
