"""New values of a tensor: distinct, none trivial, of a scale that keeps activations near one."""

from __future__ import annotations

import math
import re
import zlib

import torch

from porting.reinit.slots import Slot


def new_values(slot: Slot, seed: int) -> torch.Tensor:
    """Values for a tensor, fixed by its name and the seed; float32, on the CPU.

    Variances lie between 0.5 and 1.5, norm weights around 1 (around 0 if that is where they are), shifts around 0;
    embeddings have a spread of 1, matrices one of the inverse root of what a row is multiplied with. A single number
    stays near its own value.
    """
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}:{slot.full}".encode()))
    shape, given = slot.tensor.shape, slot.tensor.detach().to("cpu", torch.float32)
    noise = torch.randn(shape, generator=generator)
    if slot.tensor.numel() == 1:
        return given * (1 + 0.1 * noise.clamp(-1, 1)) + 0.01 * noise
    if re.search(r"(^|[._])var($|[._])|variance", slot.name):
        return 0.5 + torch.rand(shape, generator=generator)
    if slot.tensor.numel() == max(shape):
        return _vector(slot, given, noise)
    if isinstance(slot.module, (torch.nn.Embedding, torch.nn.EmbeddingBag)):
        return noise
    if shape[0] == 1:
        return 0.5 * noise
    width: int = max(shape[1:]) if len(shape) == 3 else shape[1:].numel()
    return noise / math.sqrt(width)


def _vector(slot: Slot, given: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    shifts = re.search(r"bias|beta|mean", slot.name) is not None
    centre = 0.0 if shifts or abs(float(given.mean())) < 0.5 else 1.0
    made = centre + 0.2 * noise
    return made.abs() + 0.05 if centre and bool((given > 0).all()) else made
