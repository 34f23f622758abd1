"""A model as its class begins it: built from a config, and initialised as loading does for what a file lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from porting.errors import PortingError
from porting.hooks.preserving import seed_everything
from porting.inputs.settings import settings_of
from porting.text import show
from porting.weights.audit.again import tensors_of, unlike
from porting.weights.audit.live import others
from porting.weights.checking import build_on_meta

MOST_BYTES = 128 << 20
"""Up to so much memory a model is built with its data."""
RUBBISH = (float("nan"), 1e30)
"""What is in memory that nobody wrote, one time and another."""
LOADED = 0.625
"""What every weight holds that a file brought; exact in every floating dtype."""


def bytes_of(model: nn.Module) -> int:
    """Bytes of a model's parameters and buffers, also on the meta device."""
    tensors = {id(each): each for each in (*model.parameters(), *model.buffers())}
    return sum(each.numel() * each.element_size() for each in tensors.values())


def build(kind: type[nn.Module], config: Any, *, data: bool, start: bool = True) -> nn.Module:
    """Build a model on the cpu.

    Args:
        kind: its class.
        config: of it.
        data: whether its tensors have data; else the constructor runs on tensors without any.
        start: whether weights are initialised, which takes most of the time.

    Raises:
        PortingError: the constructor raised.
    """
    from transformers.initialization import no_init_weights

    nothing: Any = contextlib.nullcontext()
    mode, weights = nothing if data else FakeTensorMode(), nothing if start else no_init_weights()
    try:
        with torch.random.fork_rng(devices=[]), mode, weights, torch.device("cpu"):
            return kind(config)
    except Exception as error:
        what = f"{show(kind.__name__)}(config) cannot be built on the cpu"
        raise PortingError(f"{what}: {type(error).__name__}: {show(error, 500)}") from error


def without_start(kind: Any, config: Any) -> Iterator[tuple[str, str]]:
    """The tensors of a ``PreTrainedModel`` to which initialising gives no value: name, and what is so in words.

    The model is built without data, as ``from_pretrained`` does, gets memory with rubbish, and is initialised; and
    all again with other rubbish. What is not the same then was not written. A lone number that the constructor takes
    from the config is a setting, and the parts of a parametrised weight are written through that weight: both are
    left out.

    Raises:
        PortingError: the model cannot be built, or initialising raised.
    """
    first, second = (_started(kind, config, rubbish) for rubbish in RUBBISH)
    left = {name for name, tensor in others(first).items() if tensor.is_meta}
    for name in sorted(left):
        yield name, "is a plain tensor, which stays on the meta device: register it as a buffer"
    settings = _settings(kind, config)
    for name, _ in unlike(first, second):
        if name not in left and name not in settings and ".parametrizations." not in f".{name}":
            yield name, "is not written by _init_weights: it is whatever was in memory"


def _settings(kind: Any, config: Any) -> set[str]:
    """The parameters of one element that begin as a number of the config."""
    numbers = {float(value) for value in settings_of(config).values() if isinstance(value, (int, float))}
    lone = [(name, each) for name, each in build(kind, config, data=True).named_parameters() if each.numel() == 1]
    return {name for name, each in lone if any(abs(float(each.detach()) - number) < 1e-6 for number in numbers)}


def overwritten(kind: Any, config: Any) -> list[str]:
    """The weights of a ``PreTrainedModel`` that initialising writes over though they are marked as loaded.

    Raises:
        PortingError: the model cannot be built, or initialising raised.
    """
    model = _with_memory(kind, config, LOADED)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor._is_hf_initialized = True
    model.is_custom_code = lambda: False  # code that is not a part of Transformers is protected, and moves there later
    _initialise(model)
    written = {id(each) for each in model.parameters() if bool((each != LOADED).any())}
    return [name for name, each in model.named_parameters() if id(each) in written]


def random_tensors(kind: Any, config: Any) -> tuple[int, int]:
    """How many parameters there are, and how many of them begin with random numbers.

    Raises:
        PortingError: the model cannot be built, or initialising raised.
    """
    first, second = _started(kind, config, 0.0), _started(kind, config, 0.0, seed=1)
    names = dict(first.named_parameters())
    return len(names), sum(name in names for name, _ in unlike(first, second))


def _started(kind: Any, config: Any, rubbish: float, seed: int = 0) -> Any:
    model = _with_memory(kind, config, rubbish)
    _initialise(model, seed)
    return model


def _with_memory(kind: Any, config: Any, rubbish: float) -> Any:
    model: Any = build_on_meta(kind, config)
    model.to_empty(device="cpu")
    with torch.no_grad():
        for name, tensor in tensors_of(model).items():
            if not tensor.is_meta and not name.startswith("_"):
                tensor.fill_(_as(tensor.dtype, rubbish))
    for module in model.modules():
        vars(module).pop("_is_hf_initialized", None)
    model.tie_weights()
    return model


def _as(dtype: torch.dtype, rubbish: float) -> float | int | bool:
    if dtype.is_floating_point or dtype.is_complex:
        return min(rubbish, torch.finfo(dtype).max / 2) if rubbish == rubbish else rubbish
    return rubbish != rubbish if dtype is torch.bool else 77 if rubbish != rubbish else 33


def _initialise(model: Any, seed: int = 0) -> None:
    try:
        with torch.random.fork_rng(devices=[]):
            seed_everything(seed)
            model.initialize_weights()
    except Exception as error:
        what = f"_init_weights of {show(type(model).__name__)} raised {type(error).__name__}: {show(error, 500)}"
        raise PortingError(what) from error
