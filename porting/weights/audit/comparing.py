"""Whether two tensors hold the same data, and how far they are apart."""

from __future__ import annotations

import torch

from porting.trace.bits import as_bytes, plain, same_bits


def difference(model: torch.Tensor, given: torch.Tensor) -> str:
    """How the model's tensor differs from another, cast to the model's dtype; empty if it does not.

    Equal means equal in every element: no tolerance; NaN equals NaN.
    """
    if model.shape != given.shape:
        return f"has shape {list(model.shape)} for {list(given.shape)}"
    if given.is_meta:
        return "the tensor to compare with is on the meta device"
    if model.is_complex() != given.is_complex():
        return "complex on one side only"
    own, other = _on_cpu(model), _on_cpu(given.to(model.dtype))
    if same_bits(own, other):
        return ""
    one, two = _rows(own), _rows(other)
    differing = (one != two).any(dim=1)
    ours, theirs = (_elements(rows[differing], model.dtype) for rows in (one, two))
    unequal = ours != theirs
    if model.is_floating_point() or model.is_complex():
        unequal &= ~(ours.isnan() & theirs.isnan())
    else:
        unequal = torch.ones_like(unequal)
    if not unequal.any():
        return ""
    largest = (ours - theirs).abs()[unequal].max().item()
    return f"{int(unequal.sum()):,} of {model.numel():,} elements differ, max abs {largest:.3g}"


def _on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    return plain(tensor).cpu().contiguous()


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of each element, in rows: works for every dtype, which ``==`` and ``equal`` do not."""
    return as_bytes(tensor).reshape(tensor.numel(), tensor.element_size())


def _elements(rows: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return rows.flatten().view(dtype).to(torch.complex128 if dtype.is_complex else torch.float64)
