"""Short signatures of a tensor's bits: of all of them in any order, and of the slices along each axis.

A signature finds a candidate, which is then compared in every bit: chance agreement costs time, and no more.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from porting.trace.bits import as_bytes, plain

BLOCK = 1 << 20
"""Elements that are computed with at a time."""
HEAD = 1 << 12
"""Elements that are looked at before all are."""
PREFIX = 64
"""Elements along each axis of a slice that a short signature is made of."""
FEWEST = 4
"""Different elements that a tensor must have for its signature to tell something."""
_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_MULTIPLIERS = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)
"""Of the finaliser of splitmix64 (Steele, Lea and Flood, 2014), as signed numbers."""


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bits of each element as whole numbers, in the tensor's shape on the cpu; complex ones get an axis of two."""
    flat = plain(tensor).cpu().contiguous()
    if flat.is_complex():
        flat = torch.view_as_real(flat)
    return as_bytes(flat).view(_WHOLE[flat.element_size()]).reshape(flat.shape)


def telling(tensor: torch.Tensor) -> bool:
    """Whether a tensor has enough different elements that another with the same ones is no accident."""
    flat = bits(tensor).reshape(-1)
    return any(len(torch.unique(part)) >= FEWEST for part in (flat[:HEAD], flat))


def total(tensor: torch.Tensor) -> int:
    """The signature of all elements, in whatever order they lie: the sum of their bits as whole numbers."""
    return int(bits(tensor).sum(dtype=torch.int64))


def slices(tensor: torch.Tensor, axis: int, *, ordered: bool = True) -> torch.Tensor:
    """The signature of each slice along an axis: int64 of that axis' length.

    Args:
        tensor: of one dimension or more.
        axis: of which each index is one slice.
        ordered: whether the order within a slice counts.
    """
    rows = bits(tensor).movedim(axis, 0).unsqueeze(-1).flatten(1)
    high = max(1, BLOCK // max(1, rows.shape[1]))
    parts = [part.to(torch.int64) for part in torch.split(rows, high)]
    if not ordered:
        return torch.cat([_mixed(part).sum(dim=1) for part in parts])
    weights = _weights(1 << max(rows.shape[1] - 1, 1).bit_length())[: rows.shape[1]]
    return torch.cat([(part * weights).sum(dim=1) for part in parts])


def prefixes(tensor: torch.Tensor, axis: int) -> torch.Tensor:
    """The signature of the beginning of each slice along an axis: int64 of that axis' length."""
    for other in range(tensor.dim()):
        if other != axis:
            tensor = tensor.narrow(other, 0, min(PREFIX, tensor.shape[other]))
    return slices(tensor, axis)


def differing(one: torch.Tensor, other: torch.Tensor, axis: int) -> torch.Tensor:
    """The indices along an axis whose slices differ in some bit, of two tensors of one dtype and shape."""
    unequal = (bits(one) != bits(other)).movedim(axis, 0).unsqueeze(-1).flatten(1)
    return unequal.any(dim=1).nonzero().flatten()


@lru_cache(maxsize=8)
def _weights(length: int) -> torch.Tensor:
    """As many odd numbers, spread over 64 bits."""
    return _mixed(torch.arange(1, length + 1)) | 1


def _mixed(values: torch.Tensor) -> torch.Tensor:
    """Whole numbers spread over 64 bits; fresh memory."""
    mixed = values + 0x1E3779B97F4A7C15
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        mixed ^= (mixed >> shift) & (1 << 64 - shift) - 1
        mixed *= multiplier
    mixed ^= (mixed >> 31) & (1 << 33) - 1
    return mixed
