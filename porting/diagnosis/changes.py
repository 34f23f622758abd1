"""Changes to a live model for one trial, each undone when its context ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch

from porting.diagnosis.trial import Applied
from porting.hooks.tracking import forward_signature, named_arguments
from porting.reruns.feeding import substituted
from porting.trace import flatten

_MISSING = object()
Tensors = Callable[[torch.Tensor], torch.Tensor]


@contextmanager
def setting(module: torch.nn.Module, name: str, value: Any) -> Iterator[None]:
    """Give a module another attribute."""
    before = vars(module).get(name, _MISSING)
    setattr(module, name, value)
    try:
        yield
    finally:
        if before is _MISSING:
            delattr(module, name)
        else:
            setattr(module, name, before)


@contextmanager
def training(module: torch.nn.Module, mode: bool) -> Iterator[None]:
    """Put a module and what lies below it into training mode or out of it."""
    before = [(each, each.training) for each in module.modules()]
    module.train(mode)
    try:
        yield
    finally:
        for each, was in before:
            each.training = was


@contextmanager
def content(tensor: torch.Tensor, values: torch.Tensor) -> Iterator[None]:
    """Give a parameter or buffer other values of the same shape; its dtype stays.

    Raises:
        ValueError: the shapes differ.
    """
    if tensor.shape != values.shape:
        raise ValueError(f"the tensor has shape {tuple(tensor.shape)}, the values {tuple(values.shape)}")
    before = tensor.detach().clone()
    with torch.no_grad():
        tensor.copy_(values.clone())
    try:
        yield
    finally:
        with torch.no_grad():
            tensor.copy_(before)


@contextmanager
def rotated(modules: Sequence[torch.nn.Module]) -> Iterator[None]:
    """Give each module the contents of the next one's parameters and buffers, and the last those of the first.

    Raises:
        ValueError: they do not have tensors of the same shapes.
    """
    rows = [[*module.parameters(), *module.buffers()] for module in modules]
    if len({tuple(tensor.shape for tensor in row) for row in rows}) != 1:
        raise ValueError("the modules do not have the same tensors")
    taken = [[tensor.detach().clone() for tensor in row] for row in (*rows[1:], rows[0])]
    with ExitStack() as stack:
        for tensor, values in zip(chain(*rows), chain(*taken), strict=True):
            stack.enter_context(content(tensor, values))
        yield


@contextmanager
def submodule(model: torch.nn.Module, path: str, new: torch.nn.Module) -> Iterator[None]:
    """Put another module at a path (not the model's own)."""
    parent_path, _, name = path.rpartition(".")
    parent = model.get_submodule(parent_path)
    before = parent._modules[name]
    parent._modules[name] = new
    try:
        yield
    finally:
        parent._modules[name] = before


@contextmanager
def forward(module: torch.nn.Module, new: Callable[..., Any]) -> Iterator[None]:
    """Let a module compute something else: ``new(*args, **kwargs)`` in the place of its forward."""
    before = vars(module).get("forward", _MISSING)
    vars(module)["forward"] = new
    try:
        yield
    finally:
        if before is _MISSING:
            del vars(module)["forward"]
        else:
            vars(module)["forward"] = before


@contextmanager
def output(module: torch.nn.Module, change: Tensors, leaf: str = "") -> Iterator[None]:
    """Change a tensor of what a module returns, given by its leaf name."""

    def changed(_: torch.nn.Module, __: Any, result: Any) -> Any:
        return substituted(result, _exchange(result, leaf, change))

    handle = module.register_forward_hook(changed)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def argument(module: torch.nn.Module, change: Tensors, leaf: str) -> Iterator[None]:
    """Change a tensor among a module's arguments, given by its leaf name in the forward's signature."""
    signature = forward_signature(module)

    def changed(_: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        exchange = _exchange(named_arguments(signature, args, kwargs), leaf, change)
        return substituted(args, exchange), substituted(kwargs, exchange)

    handle = module.register_forward_pre_hook(changed, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def together(*changes: Applied) -> Applied:
    """Several changes as one."""

    @contextmanager
    def applied() -> Iterator[None]:
        with ExitStack() as stack:
            for change in changes:
                stack.enter_context(change())
            yield

    return applied


def _exchange(value: Any, leaf: str, change: Tensors) -> dict[int, torch.Tensor]:
    return {
        id(tensor): change(tensor)
        for name, tensor in flatten(value)[1]
        if name == leaf and isinstance(tensor, torch.Tensor)
    }
