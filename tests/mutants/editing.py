"""What the bugs are made with: other modules, other values, other behaviour of one module."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import nn


def within(model: nn.Module, path: str) -> Any:
    """The module at a path, of any class."""
    return model.get_submodule(path)


def replace(model: nn.Module, path: str, new: nn.Module) -> None:
    """Put another module at a path."""
    parent, _, leaf = path.rpartition(".")
    setattr(within(model, parent), leaf, new.train(within(model, path).training))


def edit(tensor: torch.Tensor, value: torch.Tensor | float) -> None:
    """Overwrite the values of a parameter or buffer."""
    with torch.no_grad():
        tensor.copy_(value.detach().clone() if isinstance(value, torch.Tensor) else torch.tensor(value))


def exchange(first: nn.Module, second: nn.Module) -> None:
    """Give each of two equal modules the other's parameters."""
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        kept = a.detach().clone()
        edit(a, b)
        edit(b, kept)


def behave(module: nn.Module, forward: Callable[..., Any]) -> None:
    """Let one module run ``forward(module, usual, *args, **kwargs)``, as if its class were written so."""
    cls = type(module)

    def changed(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return forward(self, partial(cls.forward, self), *args, **kwargs)

    changed.__signature__ = inspect.signature(cls.forward)  # type: ignore[attr-defined]
    body = {"forward": changed, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    module.__class__ = type(cls.__name__, (cls,), body)


def behave_with(module: nn.Module, function: str, make: Callable[[Any], Any]) -> None:
    """Within one module's forward, let a function of its Python module be ``make(usual)``."""
    source = sys.modules[type(module).__module__]

    def forward(self: nn.Module, usual: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with patch.object(source, function, make(getattr(source, function))):
            return usual(*args, **kwargs)

    behave(module, forward)
