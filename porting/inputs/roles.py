"""What an input tensor is: tokens, their types, positions, a mask, an image, a signal; by its name and its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

Role = Literal["tokens", "types", "positions", "mask", "image", "signal", "other"]

COLOURS = (1, 3, 4)
"""How many channels an image may have."""


def role_of(name: str, tensor: torch.Tensor) -> Role:
    """The role of an input.

    Args:
        name: of the argument, ``args.0`` for a positional one.
        tensor: its value.
    """
    if tensor.is_complex() or not tensor.numel():
        return "other"
    if tensor.is_floating_point():
        return _float_role(name, tensor)
    if tensor.dim() != 2:
        return "positions" if tensor.dim() == 1 and counts(tensor) else "other"
    return _integer_role(name.lower(), tensor)


def takes_made_by(kind: Literal["tokenizer", "processor"], inputs: Mapping[str, Any]) -> bool:
    """Whether a model is given what a tokenizer makes (tokens), or a processor (images, sounds).

    Args:
        kind: who makes it.
        inputs: of the model, by name.
    """
    wanted = {"tokens"} if kind == "tokenizer" else {"image", "signal"}
    tensors = ((name, value) for name, value in inputs.items() if isinstance(value, torch.Tensor))
    return any(role_of(name, value) in wanted and not _is_hidden(name) for name, value in tensors)


def colour_axis(image: torch.Tensor) -> int | None:
    """The axis of the channels of an image, None if it has none: the first after the batch's, or the last."""
    return next((axis for axis in (1, image.dim() - 1) if image.shape[axis] in COLOURS), None)


def counts(tensor: torch.Tensor) -> bool:
    """Whether every row counts upwards by one, as positions do."""
    return tensor.shape[-1] > 1 and not tensor.is_floating_point() and bool((tensor.long().diff(dim=-1) == 1).all())


def constant(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds one value throughout."""
    flat = tensor.reshape(-1)
    return bool((flat == flat[0]).all())


def _is_hidden(name: str) -> bool:
    """Whether a name is one of states that models make themselves: ``inputs_embeds``, ``encoder_hidden_states``."""
    return "embed" in name or "hidden" in name


def _same_rows(tensor: torch.Tensor) -> bool:
    return bool((tensor == tensor[:1]).all())


def _float_role(name: str, tensor: torch.Tensor) -> Role:
    if "mask" in name.lower():
        return "mask" if tensor.dim() == 2 else "other"
    if tensor.dim() == 4 and colour_axis(tensor) is not None:
        return "image"
    return "signal" if tensor.dim() in (2, 3) else "other"


def _integer_role(name: str, tensor: torch.Tensor) -> Role:
    if tensor.dtype == torch.bool or "mask" in name:
        return "mask"
    if "position" in name or (_same_rows(tensor) and counts(tensor) and not {"ids", "tokens"} & set(name.split("_"))):
        return "positions"
    if "type" in name or "segment" in name:
        return "types"
    return "mask" if name.startswith("args.") and int(tensor.max()) <= 1 else "tokens"
