"""What a port's config says of its attention: how many heads there may be, and whether positions are rotary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

MOST = 1024


def head_counts(model: torch.nn.Module) -> list[int]:
    """All numbers of heads that a model's config names, those of parts included, the largest first."""
    return sorted(set(_counts(_config(model))), reverse=True)


def has_rotary(model: torch.nn.Module) -> bool:
    """Whether a model turns queries and keys by their positions, as its modules or its config say."""
    if any("rot" in type(module).__name__.lower() for module in model.modules()):
        return True
    return any(("rope" in key or "rotary" in key) and bool(value) for key, value in _config(model).items())


def _config(model: torch.nn.Module) -> Mapping[str, Any]:
    config = getattr(model, "config", None)
    as_dict = getattr(config, "to_dict", None)
    values = as_dict() if callable(as_dict) else getattr(config, "__dict__", {})
    return {str(name): value for name, value in values.items()}


def _counts(values: Mapping[str, Any]) -> Iterator[int]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _counts({str(name): each for name, each in value.items()})
        elif "head" in str(key).lower() and "dim" not in str(key) and "size" not in str(key):
            several = value if isinstance(value, (list, tuple)) else [value]
            yield from (each for each in several if type(each) is int and 1 <= each <= MOST)
