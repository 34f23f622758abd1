"""What of a model is random or rubbish: two models that the same code made are held against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from porting.hooks.preserving import seed_everything
from porting.weights.audit.live import others
from porting.weights.audit.rearranged import same
from porting.weights.audit.rebuilding import memory_filled


def built_otherwise(build: Callable[[], torch.nn.Module], seed: int = 1) -> torch.nn.Module:
    """Call ``build`` with random numbers of its own, in memory that is filled; the random state is left as it was."""
    with torch.random.fork_rng(), memory_filled():
        seed_everything(seed)
        return build()


def unlike(one: torch.nn.Module, other: torch.nn.Module) -> Iterator[tuple[str, str]]:
    """Name of each tensor that two models do not both hold, bit for bit, and what is so in words.

    Parameters, buffers of both kinds and plain tensors among the attributes are looked at.
    """
    first, second = tensors_of(one), tensors_of(other)
    for name in dict.fromkeys((*first, *second)):
        if name not in first or name not in second:
            yield name, "is in one of the two models alone"
        elif words := _differ(first[name], second[name]):
            yield name, words


def tensors_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a model, and what it holds besides."""
    saved = {name: each for name, each in model.state_dict().items() if isinstance(each, torch.Tensor)}
    return {**saved, **others(model)}


def _differ(one: torch.Tensor, other: torch.Tensor) -> str:
    if one.is_meta or other.is_meta:
        return "is on the meta device, without data"
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"is {other.dtype} {list(other.shape)}, and was {one.dtype} {list(one.shape)}"
    return "" if same(one, other) else "has other values"
