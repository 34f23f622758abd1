"""Which tensors of a model are one, and which its configuration says should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

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


def shared_names(model: torch.nn.Module) -> list[tuple[str, ...]]:
    """The names in a model's state dict that are one tensor, by two and more."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor):
            place = (
                () if tensor.is_meta or not tensor.numel() else (tensor.data_ptr(), *tensor.stride(), *tensor.shape)
            )
            groups.setdefault(place or (id(tensor),), []).append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def untied_head(model: torch.nn.Module) -> str | None:
    """The name of an output embedding that ``tie_word_embeddings`` ties to the input embeddings, and that is not."""
    config = getattr(model, "config", None)
    if getattr(config, "tie_word_embeddings", False) is not True:
        return None
    given, made = (embeddings(model, which) for which in ("input", "output"))
    if given is None or made is None or given.shape != made.shape or one_tensor(given, made):
        return None
    return next((name for name, tensor in model.named_parameters() if tensor is made), None)


def embeddings(model: torch.nn.Module, which: Literal["input", "output"]) -> torch.Tensor | None:
    """The weight of a model's embeddings; None where its class does not tell which those are."""
    get = getattr(model, f"get_{which}_embeddings", None)
    try:
        weight = getattr(get() if callable(get) else None, "weight", None)
    except (NotImplementedError, AttributeError):
        return None
    return weight if isinstance(weight, torch.Tensor) else None
