"""Call a model as pipelines do: on its own device, in its own precision, with a config that may be written into."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from porting.runs import Inputs


def forwarded(model: Any, inputs: Inputs) -> Any:
    """What a model returns for inputs that are put in its place first."""
    return placed(inputs, model).forward(model)


def everything(_: Inputs) -> None:
    """That every position counts."""
    return


def placed(inputs: Inputs, model: Any) -> Inputs:
    """The inputs on the model's device, floating-point ones in its dtype."""
    dtype, device = model.dtype, model.device

    def place(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return value.to(device, dtype) if value.is_floating_point() else value.to(device)

    return Inputs(kwargs={name: place(value) for name, value in inputs.kwargs.items()})


@contextmanager
def own_config(model: Any) -> Iterator[None]:
    """Lend a model copies of its configs, which pipelines and generation write into."""
    names = [name for name in ("config", "generation_config") if getattr(model, name, None) is not None]
    kept = {name: getattr(model, name) for name in names}
    try:
        for name, value in kept.items():
            setattr(model, name, copy.deepcopy(value))
        yield
    finally:
        for name, value in kept.items():
            setattr(model, name, value)
