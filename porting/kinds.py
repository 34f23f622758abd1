"""What somebody returned in place of what was asked for, described for an error message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from porting.text import show


def kind_of(value: Any) -> str:
    """Describe a value by its type and size, a plain one by itself."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return show(repr(value), 60)
    if isinstance(value, type):
        return f"the class {show(value.__name__)}"
    if isinstance(value, (tuple, list)):
        return f"a {show(type(value).__name__)} of length {len(value)}"
    if isinstance(value, Mapping):
        return f"a {show(type(value).__name__)} with the keys {show(list(value), 60)}"
    import torch

    if isinstance(value, torch.Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}".replace("torch.", "")
    return f"an object of type {show(type(value).__name__)}"


def parts_of(value: Any) -> str:
    """Describe the parts of a tuple or list; anything else as a whole."""
    return f"({', '.join(map(kind_of, value))})" if isinstance(value, (tuple, list)) else kind_of(value)
