"""A port under each implementation of attention that it supports and that runs here."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from porting.behaviour.agreement import agree
from porting.behaviour.subject import Outputs, Subject
from porting.errors import CaptureError
from porting.hooks.module_tree import walk
from porting.quieting import quiet
from porting.text import show

IMPLEMENTATIONS = ("eager", "sdpa")
"""Run on every machine."""
ON_CUDA = ("flex_attention", "flash_attention_2", "flash_attention_3")
"""Need a GPU; and some of them half precision."""
ATTRIBUTE = "_attn_implementation_internal"


@dataclass(frozen=True)
class Implementations:
    """What a port returns under each implementation of attention.

    Attributes:
        usual: the one that it was returned with.
        outputs: by the name of an implementation.
        refused: by name, why one could not be set.
        raised: by name, what the forward raised under one that could.
    """

    usual: str
    outputs: Mapping[str, Outputs] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    raised: Mapping[str, str] = field(default_factory=dict)


def can_change_attention(model: torch.nn.Module) -> bool:
    """Whether a model has the methods of Transformers to set its attention implementation."""
    return callable(getattr(model, "set_attn_implementation", None)) and hasattr(
        getattr(model, "config", None), ATTRIBUTE
    )


def under_each_implementation(subject: Subject) -> Implementations:
    """Run a model on its given inputs under each implementation; the one that it had is set again.

    A model in which it cannot be set is built anew with it, from its config and weights.
    """
    model: Any = subject.model
    usual = str(model.config._attn_implementation)
    outputs: dict[str, Outputs] = {}
    refused: dict[str, str] = {}
    raised: dict[str, str] = {}
    names = dict.fromkeys((usual, *IMPLEMENTATIONS, *(ON_CUDA if _on_cuda(model) else ())))
    for name in names:
        with implementations_kept(model):
            changed, why = _changed(subject, name)
            if changed is None:
                refused[name] = why
                continue
            try:
                outputs[name] = subject.outputs(model=changed)
            except CaptureError as error:
                raised[name] = error.message
    return Implementations(usual, outputs, refused, raised)


def _changed(subject: Subject, name: str) -> tuple[Any, str]:
    """A model under an implementation, or None and why there is none."""
    model: Any = subject.model
    try:
        with quiet():
            model.set_attn_implementation(name)
    except Exception as error:
        return None, f"{type(error).__name__}: {show(error, 200)}"
    if model.config._attn_implementation == name:
        return model, ""
    stays = f"it stays {show(model.config._attn_implementation)}"
    try:
        usual = rebuilt(model, str(model.config._attn_implementation))
        same = not agree(subject.given, subject.outputs(model=usual), subject.allowance).wrong
        return (rebuilt(model, name), "") if same else (None, f"{stays}, and built anew it is another model")
    except Exception as error:
        return None, f"{stays}, and cannot be built anew: {type(error).__name__}: {show(error, 200)}"


def rebuilt(model: Any, implementation: str) -> Any:
    """Another model of the same class, from a copy of the config, with the same tensors.

    Args:
        model: a ``PreTrainedModel``.
        implementation: of attention that it is built with.

    Raises:
        Exception: whatever the class raises on it.
    """
    with quiet(), torch.random.fork_rng(), torch.device(model.device):
        made = type(model)._from_config(copy.deepcopy(model.config), attn_implementation=implementation)
    if made.config._attn_implementation != implementation:
        raise ValueError(f"it is built with {made.config._attn_implementation}")
    made.to(model.dtype).train(model.training)
    made.load_state_dict(model.state_dict())
    for name, buffer in model.named_buffers():
        made.get_buffer(name).copy_(buffer)
    return made


@contextmanager
def implementations_kept(model: torch.nn.Module) -> Iterator[None]:
    """Give every config within a model back its implementation of attention."""
    configs = {id(config): config for config in _configs(model)}.values()
    before = [(config, getattr(config, ATTRIBUTE)) for config in configs if hasattr(config, ATTRIBUTE)]
    try:
        yield
    finally:
        for config, name in before:
            setattr(config, ATTRIBUTE, name)


def _configs(model: torch.nn.Module) -> Iterator[Any]:
    waiting = [config for _, module in walk(model) if (config := getattr(module, "config", None)) is not None]
    seen: set[int] = set()
    while waiting:
        config = waiting.pop()
        if id(config) not in seen:
            seen.add(id(config))
            yield config
            names = getattr(config, "sub_configs", {})
            waiting += [inner for name in names if (inner := getattr(config, name, None)) is not None]


def _on_cuda(model: torch.nn.Module) -> bool:
    return any(parameter.is_cuda for parameter in model.parameters())
