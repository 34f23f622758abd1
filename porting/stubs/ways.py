"""The verified port computed in other ways, all of them right: what a test of it must let pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from porting.behaviour import Subject
from porting.errors import CaptureError
from porting.hooks.module_tree import walk
from porting.runs import Inputs

ATTENTIONS = ("eager", "sdpa")


def replayed(model: torch.nn.Module, given: Mapping[str, Any]) -> Subject:
    """The port as a test runs it: one forward with keyword arguments, on the device that the model is on."""
    return Subject("ported", model, Inputs(kwargs=given), lambda each, inputs: inputs.forward(each), Inputs.attended)


def other_ways(subject: Subject) -> list[Mapping[str, torch.Tensor]]:
    """The port's outputs as they are, on another number of threads, under each attention, and in float64.

    A way that the model does not take is left out.
    """
    found = [subject.given]
    for way in (
        _threads(1 if torch.get_num_threads() > 1 else 2),
        *(attention(subject.model, name) for name in ATTENTIONS),
    ):
        try:
            with way:
                found.append(subject.outputs())
        except (CaptureError, ValueError, ImportError):
            continue
    return [*found, subject.exact or {}]


@contextmanager
def attention(model: torch.nn.Module, name: str) -> Iterator[None]:
    """Compute attention in another way, as Transformers calls it.

    Raises:
        ValueError: the model cannot.
    """
    change: Callable[[str], None] | None = getattr(model, "set_attn_implementation", None)
    if change is None:
        raise ValueError("the model has no choice of attention")
    before = [(config, config._attn_implementation) for config in _configs(model)]
    try:
        with _quiet():
            change(name)
        yield
    finally:
        for config, implementation in before:
            config._attn_implementation_internal = implementation


def _configs(model: torch.nn.Module) -> list[Any]:
    """The configs of a model and its parts, with those inside them."""
    found: dict[int, Any] = {}
    every = (getattr(module, "config", None) for _, module in walk(model))
    waiting: list[Any] = [each for each in every if hasattr(each, "sub_configs")]
    while waiting:
        config = waiting.pop()
        if id(config) not in found:
            found[id(config)] = config
            inner = (getattr(config, name, None) for name in config.sub_configs)
            waiting += [each for each in inner if hasattr(each, "sub_configs")]
    return list(found.values())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Transformers logs about parts that have no choice."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
