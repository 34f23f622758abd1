"""Where what is wrong in a module shows: each output's change when one module after the other is perturbed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from porting.behaviour import Subject
from porting.behaviour.subject import named_tensors
from porting.hooks.module_tree import executed_modules
from porting.hooks.preserving import preserved, seed_everything

MOST_MODULES, LEAST_MODULES = 48, 4
MOST_ELEMENTS = 1 << 26
"""Elements of all outputs of all runs that are kept."""
SIZE = 1e-2
"""Relative size of the perturbation of what a module returns."""


def moves(subject: Subject) -> list[dict[str, torch.Tensor]]:
    """How far the elements of each output move, for every module whose perturbation shows.

    Of many modules an even selection is perturbed: one run of the port for each.
    """
    modules = [module for path, module in executed_modules(subject.model) if path]
    given, found = subject.given, []
    room = MOST_ELEMENTS // max(1, sum(tensor.numel() for tensor in given.values()))
    step = max(1, -(-len(modules) // min(MOST_MODULES, max(LEAST_MODULES, room))))
    with preserved(subject.model), torch.no_grad():
        for module in modules[::step]:
            outputs = _run(subject, module)
            moved = {name: _distance(tensor, outputs.get(name)) for name, tensor in given.items()}
            if any(bool(each.any()) for each in moved.values()):
                found.append(moved)
    return found


def _run(subject: Subject, module: torch.nn.Module) -> Mapping[str, torch.Tensor]:
    """What the model returns while one of its modules is perturbed; nothing if it raises."""
    seed_everything(0)
    try:
        with perturbed(module):
            return named_tensors(subject.forward(subject.model, subject.inputs.fresh()))
    except Exception:
        return {}


@contextmanager
def perturbed(module: torch.nn.Module) -> Iterator[None]:
    """Multiply every element of what a module returns by its own factor near 1, while this lasts."""

    def changed(_: torch.nn.Module, __: Any, result: Any) -> Any:
        if isinstance(result, torch.Tensor):
            return _changed(result)
        if type(result) is tuple:
            return tuple(_changed(item) if isinstance(item, torch.Tensor) else item for item in result)
        return result

    handle = module.register_forward_hook(changed)
    try:
        yield
    finally:
        handle.remove()


def of_output(moved: list[dict[str, torch.Tensor]], name: str) -> list[torch.Tensor]:
    """The moves of one output, of those modules that show in it."""
    return [each[name] for each in moved if name in each and bool(each[name].any())]


def _changed(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    factors = 1 + SIZE * torch.arange(tensor.numel(), device=tensor.device).double().square().cos()
    return (tensor.double() * factors.reshape(tensor.shape)).to(tensor.dtype)


def _distance(tensor: torch.Tensor, other: torch.Tensor | None) -> torch.Tensor:
    if other is None or other.shape != tensor.shape:
        return torch.zeros_like(tensor)
    return (other.float().cpu() - tensor.float()).abs().nan_to_num(0.0, posinf=0.0)
