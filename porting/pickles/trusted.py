"""The process that loads a trusted pickle with its code and writes its tensors as safetensors."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save_file

from porting.pickles.catalogue import choose
from porting.pickles.standins import RefusedError


def main(source: str, target: str) -> None:
    """Load a file, find its state dict, and write it.

    Args:
        source: the path of the pickle.
        target: the path of the safetensors file.
    """
    held = torch.load(source, map_location="cpu", weights_only=False)
    try:
        chosen = choose(_opened(held), lambda value: isinstance(value, torch.Tensor))
    except RefusedError as refused:
        sys.exit(str(refused))
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in chosen.tensors.items()}, target)


def _opened(held: Any) -> Any:
    """Modules as their state dicts, where they are all that is held or the values of a mapping."""
    if isinstance(held, torch.nn.Module):
        return held.state_dict()
    if isinstance(held, Mapping):
        return {
            key: value.state_dict() if isinstance(value, torch.nn.Module) else value for key, value in held.items()
        }
    return held
