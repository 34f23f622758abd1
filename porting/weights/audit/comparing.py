"""Whether two tensors hold the same data, and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.trace.bits import plain, same_bits
from porting.weights.audit.signatures import BLOCK, HEAD


def equal(model: torch.Tensor, given: torch.Tensor) -> bool:
    """Whether the model's tensor is another, cast to the model's dtype, in every element: NaN equals NaN."""
    if model.shape != given.shape or given.is_meta or model.is_complex() != given.is_complex():
        return False
    own, other = _on_cpu(model), _on_cpu(given.to(model.dtype))
    return same_bits(own, other) or not any(bool(_unequal(*block).any()) for block in blocks(own, other))


def difference(model: torch.Tensor, given: torch.Tensor) -> str:
    """How the model's tensor differs from another, cast to the model's dtype; empty if it is `equal`."""
    if model.shape != given.shape:
        return f"has shape {list(model.shape)} for {list(given.shape)}"
    if given.is_meta:
        return "the tensor to compare with is on the meta device"
    if model.is_complex() != given.is_complex():
        return "complex on one side only"
    own, other = _on_cpu(model), _on_cpu(given.to(model.dtype))
    if same_bits(own, other):
        return ""
    count, largest = 0, torch.zeros((), dtype=torch.float64)
    for one, two in blocks(own, other):
        unequal = _unequal(one, two)
        if unequal.any():
            count += int(unequal.sum())
            largest = torch.maximum(largest, (_wide(one) - _wide(two)).abs()[unequal].max())
    return f"{count:,} of {model.numel():,} elements differ, max abs {largest.item():.3g}" if count else ""


def blocks(*tensors: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """The elements of tensors of one shape side by side, a block at a time; the first block is small."""
    flat = [tensor.reshape(-1) for tensor in tensors]
    yield tuple(each[:HEAD] for each in flat)
    yield from zip(*(torch.split(each[HEAD:], BLOCK) for each in flat), strict=True)


def _on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    return plain(tensor).cpu().contiguous()


def _unequal(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    if one.element_size() == 1 and one.is_floating_point():
        one, other = one.float(), other.float()  # torch does not compare them
    return (one != other) & ~((one != one) & (other != other))


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)
