"""Build a model anew without memory for its weights, but with the buffers and tensors that its class computes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook

from porting.weights.audit.live import others
from porting.weights.audit.rearranged import same
from porting.weights.checking import default_dtype


def computed(built: type[torch.nn.Module], config: Any, dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    """What ``built(config)`` computes and is always the same: its buffers and plain tensors, by name.

    The class is built twice, with other random numbers and memory that was filled: what differs is random or never
    written, and is left out. Each parameter is moved to the meta device as soon as it is registered; the random
    state and all settings are left as they were.

    Args:
        built: the class.
        config: what it takes.
        dtype: the default dtype meanwhile; None for the present one.

    Raises:
        Exception: whatever the constructor raises.
    """
    first = _tensors(_build(built, config, dtype, seed=0))
    with memory_filled():
        second = _tensors(_build(built, config, dtype, seed=1))
    return {name: tensor for name, tensor in first.items() if name in second and _equal(tensor, second[name])}


def _tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    found = {**dict(model.named_buffers(remove_duplicate=False)), **others(model)}
    return {name: tensor for name, tensor in found.items() if not tensor.is_meta}


def _build(built: type[torch.nn.Module], config: Any, dtype: torch.dtype | None, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]), _parameters_on_meta(), default_dtype(dtype), torch.device("cpu"):
        torch.manual_seed(seed)
        return built(config)


@contextlib.contextmanager
def _parameters_on_meta() -> Iterator[None]:
    def without_data(_module: torch.nn.Module, _name: str, value: Any) -> Any:
        if isinstance(value, torch.nn.Parameter) and not torch.nn.parameter.is_lazy(value) and not value.is_meta:
            empty = torch.nn.Parameter(value.detach().to("meta"), requires_grad=value.requires_grad)
            empty.__dict__.update(value.__dict__)
            return empty
        return value

    handle = register_module_parameter_registration_hook(without_data)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def memory_filled() -> Iterator[None]:
    """Memory that is not written holds NaN, or the largest number."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = True
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filled


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and same(one, other)
