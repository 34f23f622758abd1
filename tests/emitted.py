"""Emitted files at work: a script that is run, a mapping that is known to Transformers for a while."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import load_file, save_file
from transformers import conversion_mapping as registry

from porting.weights.emitting import Emitted

State = Mapping[str, torch.Tensor]


def run_script(emitted: Emitted, checkpoint: Path, output: Path) -> dict[str, torch.Tensor]:
    """What the script writes of a checkpoint; it cannot import porting."""
    with mock.patch.dict(sys.modules, {"porting": None}):
        functions = runpy.run_path(str(emitted.paths[0]))
        functions["convert_checkpoint"](checkpoint, output)
    return saved(output)


@contextmanager
def known_mapping(emitted: Emitted) -> Iterator[dict[str, Any]]:
    """The mapping's module, registered."""
    registry.get_checkpoint_conversion_mapping("")
    cache = dict(registry._checkpoint_conversion_mapping_cache or {})
    users = set(registry.USER_REGISTERED_MAPPINGS)
    module = runpy.run_path(str(emitted.paths[0]))
    module["register"]()
    try:
        yield module
    finally:
        registry._checkpoint_conversion_mapping_cache = cache
        registry.USER_REGISTERED_MAPPINGS.clear()
        registry.USER_REGISTERED_MAPPINGS.update(users)


def saved(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors in a folder."""
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def write(folder: Path, state: State, config: Any = None) -> Path:
    """A folder as `save_pretrained` writes it, with these tensors."""
    folder.mkdir(parents=True)
    tensors = {name: tensor.clone().contiguous() for name, tensor in state.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    if config is not None:
        config.save_pretrained(folder)
    return folder


def load(model_class: Any, folder: Path) -> dict[str, torch.Tensor]:
    """The state of the model, which must have been loaded without a word."""
    model, info = model_class.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return dict(model.state_dict())


def differing(one: State, other: State) -> list[str]:
    """The names of ``one`` whose tensor is another one in ``other``, by dtype, shape or bits."""
    return [name for name in one if name not in other or not same(one[name], other[name])]


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have one dtype, shape and bits."""
    return one.dtype == other.dtype and one.shape == other.shape and bits(one) == bits(other)


def bits(tensor: torch.Tensor) -> bytes:
    """The bytes of a tensor."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
