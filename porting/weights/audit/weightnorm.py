"""The magnitude of a weight norm that is still at its start."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from porting.weights.audit.arithmetic import close

DIRECTIONS = {"weight_g": "weight_v", "original0": "original1"}
"""By the last piece of a magnitude's name, that of its direction."""


def is_norm_of_direction(name: str, tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether a magnitude is the norm of its direction, as it is when a weight norm is put on a weight."""
    path, _, leaf = name.rpartition(".")
    magnitude, direction = tensors[name], tensors.get(f"{path}.{DIRECTIONS.get(leaf, leaf)}")
    if direction is None or direction.is_meta or direction.dim() != magnitude.dim():
        return False
    kept = [axis for axis, length in enumerate(magnitude.shape) if length > 1]
    norm = (
        direction.detach()
        .double()
        .norm(dim=[each for each in range(direction.dim()) if each not in kept], keepdim=True)
    )
    return norm.shape == magnitude.shape and close(magnitude.detach().cpu(), norm.to(magnitude.dtype).cpu())
