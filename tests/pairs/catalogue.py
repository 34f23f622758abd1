"""All pairs by name."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import torch
from pairs.pair import Pair

BUILDERS = {
    "bert": "bert.build",
    "minilm": "bert.build_real",
    "whisper": "whisper.build",
    "vit": "vit.build",
    "llama": "llama.build",
    "pythia": "pythia.build",
    "esm2": "esm2.build",
    "resnet": "resnet.build",
    "encodec": "encodec.build",
    "mixtral": "mixtral.build",
    "gemma2": "gemma2.build",
    "mamba": "mamba.build",
    "clip": "clip.build",
    "swin": "swin.build",
    "convnext": "convnext.build",
}
NAMES = tuple(BUILDERS)


def build(name: str) -> Pair:
    """A fresh pair, the same at every call.

    Raises:
        ModuleNotFoundError: its original is not installed; tests/pairs/requirements.txt says which it is.
    """
    torch.manual_seed(0)
    pair = getattr(import_pair(name), BUILDERS[name].split(".")[1])()
    assert isinstance(pair, Pair)
    return pair


def import_pair(name: str) -> ModuleType:
    """The file of a pair, which imports its original."""
    return import_module(f"pairs.{BUILDERS[name].split('.')[0]}")
