"""The models of timm."""

from __future__ import annotations

from typing import Any

from pairs.stubs import stubbed
from torch import nn

with stubbed("torchvision", "PIL"):
    import timm


def create(name: str, **shape: Any) -> nn.Module:
    """A model of timm with random weights."""
    model: nn.Module = timm.create_model(name, **shape)
    return model
