"""A port in training mode with and without gradient checkpointing, from the same seed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from porting.behaviour.gradients import backward_of
from porting.behaviour.subject import Subject, named_tensors
from porting.errors import CaptureError
from porting.hooks.module_tree import walk
from porting.hooks.preserving import preserved
from porting.quieting import quiet
from porting.text import show


@dataclass(frozen=True)
class Checkpointing:
    """Runs in training mode.

    Attributes:
        plain: outputs and gradients by name, without checkpointing.
        again: the same in a second run, which shows what does not repeat.
        checkpointed: with checkpointing.
        recomputed: how often something was run under a checkpoint.
    """

    plain: Mapping[str, torch.Tensor]
    again: Mapping[str, torch.Tensor]
    checkpointed: Mapping[str, torch.Tensor]
    recomputed: int


class CheckpointingError(CaptureError):
    """Gradient checkpointing could not be switched on, or the run raised under it only."""


def supports_checkpointing(model: torch.nn.Module) -> bool:
    """Whether a model says that it supports gradient checkpointing."""
    switch = _switch(model)
    return switch is not None and bool(getattr(model, "supports_gradient_checkpointing", False))


def with_checkpointing(subject: Subject) -> Checkpointing:
    """Run in training mode without checkpointing, twice, and with it; what only one of them returns, as a cache, is
    left out.

    Raises:
        CheckpointingError: it cannot be switched on, or the run raises under it.
        CaptureError: the run raises in training mode as it is.
    """
    with preserved(subject.model):
        subject.model.train()
        names = set(subject.outputs())
    calls = [0]
    with preserved(subject.model):
        subject.model.train()
        try:
            with _checkpointed(subject.model, calls):
                names &= set(subject.outputs())
                calls[0] = 0
                checkpointed = _tensors(subject, names)
        except CaptureError as error:
            raise CheckpointingError(error.message, side=subject.side) from error
    with preserved(subject.model):
        subject.model.train()
        plain, again = (_tensors(subject, names) for _ in range(2))
    return Checkpointing(plain, again, checkpointed, calls[0])


@contextmanager
def _checkpointed(model: torch.nn.Module, calls: list[int]) -> Iterator[None]:
    switch = _switch(model)
    assert switch is not None
    with quiet():
        try:
            switch({"use_reentrant": False})
        except Exception as error:
            text = f"gradient checkpointing cannot be switched on: {type(error).__name__}: {show(error, 300)}"
            raise CheckpointingError(text, side="ported") from error
        for _, module in walk(model):
            function = vars(module).get("_gradient_checkpointing_func")
            if function is not None:
                vars(module)["_gradient_checkpointing_func"] = _counting(function, calls)
        yield


def _switch(model: torch.nn.Module) -> Callable[[dict[str, Any]], object] | None:
    """The method that switches it on, whose newer name is that of activations."""
    for name in ("activation_checkpointing_enable", "gradient_checkpointing_enable"):
        method = getattr(model, name, None)
        if callable(method):
            found: Callable[[dict[str, Any]], object] = method
            return found
    return None


def _counting(function: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        return function(*args, **kwargs)

    return counted


def _tensors(subject: Subject, wanted: Collection[str]) -> dict[str, torch.Tensor]:
    """The outputs that are projected, and the gradients of the parameters."""
    names: list[str] = []

    def select(result: object) -> list[torch.Tensor]:
        tensors = {name: each for name, each in named_tensors(result).items() if name in wanted}
        names.extend(tensors)
        return list(tensors.values())

    backward = backward_of(subject, select)
    outputs = {f"output {name}": each for name, each in zip(names, backward.outputs, strict=True)}
    gradients = {f"gradient of {name}": each for name, each in backward.gradients.items() if each is not None}
    return {**outputs, **gradients}
