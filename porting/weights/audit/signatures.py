"""Short signatures of a tensor's bits: of all of them in any order, and of the slices along each axis.

Equal data has equal signatures, and other data has others but for a chance of 2^-64 for each pair: a signature
finds a candidate, and the tensors themselves are then compared.
"""

from __future__ import annotations

import torch

from porting.trace.bits import as_bytes, plain

BLOCK = 1 << 20
"""Elements that are computed with at a time."""
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
    return any(len(torch.unique(part)) >= FEWEST for part in (flat[:4096], flat))


def total(tensor: torch.Tensor) -> int:
    """The signature of all elements, in whatever order they lie."""
    flat = bits(tensor).reshape(-1)
    return sum(int(_mixed(part.to(torch.int64)).sum()) for part in torch.split(flat, BLOCK)) & (1 << 64) - 1


def slices(tensor: torch.Tensor, axis: int, *, ordered: bool = True) -> torch.Tensor:
    """The signature of each slice along an axis: int64 of that axis' length.

    Args:
        tensor: of one dimension or more.
        axis: of which each index is one slice.
        ordered: whether the order within a slice counts.
    """
    rows = bits(tensor).movedim(axis, 0).unsqueeze(-1).flatten(1)
    weights = _mixed(torch.arange(1, rows.shape[1] + 1)) | 1 if ordered else torch.ones(1, dtype=torch.int64)
    high = max(1, BLOCK // max(1, rows.shape[1]))
    parts = [(_mixed(part.to(torch.int64)) * weights).sum(dim=1) for part in torch.split(rows, high)]
    return torch.cat(parts)


def _mixed(values: torch.Tensor) -> torch.Tensor:
    """Whole numbers spread over 64 bits; fresh memory."""
    mixed = values + 0x1E3779B97F4A7C15
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        mixed ^= (mixed >> shift) & (1 << 64 - shift) - 1
        mixed *= multiplier
    mixed ^= (mixed >> 31) & (1 << 33) - 1
    return mixed
