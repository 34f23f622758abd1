"""Weights of the pairs: random but informative values, and how a port is given its own."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import torch
from torch import nn

Special = Callable[[str, torch.Tensor], torch.Tensor | None]


def randomize(model: nn.Module, special: Special | None = None) -> None:
    """Give every parameter and running statistic values of its own, fixed by its name.

    With the usual initialisation (small values, zeros, ones) many bugs change nothing. ``special(name, noise)`` may
    give another value.
    """
    owners = dict(model.named_modules())
    tensors = [*model.named_parameters(), *model.named_buffers()]
    with torch.no_grad():
        for name, tensor in tensors:
            path, _, leaf = name.rpartition(".")
            if isinstance(tensor, nn.Parameter) or leaf in ("running_mean", "running_var"):
                generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
                noise = torch.randn(tensor.shape, generator=generator)
                value = special(name, noise) if special else None
                tensor.copy_(_informative(owners[path], leaf, noise) if value is None else value)


def _informative(owner: nn.Module, leaf: str, noise: torch.Tensor) -> torch.Tensor:
    if leaf == "running_var":
        return 1 + 0.5 * noise.abs().clamp(max=1)
    if leaf == "running_mean" or "bias" in leaf:
        return noise * 0.2
    if isinstance(owner, nn.Embedding):
        return 0.7 * noise
    if noise.dim() >= 2 and noise.numel() != max(noise.shape):
        return torch.as_tensor(noise / noise[0].numel() ** 0.5)
    return 1 + 0.3 * noise


def load(model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Load the port: it must know every tensor, and every parameter must be given, under one of its names if tied."""
    model.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, strict=False)
    unknown = set(state) - set(model.state_dict())
    names: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), set()).add(name)
    missing = [sorted(group) for group in names.values() if group.isdisjoint(state)]
    assert not unknown, f"tensors without a place in the port: {sorted(unknown)[:5]}"
    assert not missing, f"parameters of the port that are not given: {missing[:5]}"
