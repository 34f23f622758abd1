"""Whether two tensors hold the same data, and what a tensor holds instead."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

from porting.trace.bits import as_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from porting.weights.source import Source


def difference(model: torch.Tensor, source: torch.Tensor) -> str:
    """How the model's tensor differs from the checkpoint's, cast to the model's dtype; empty if it does not.

    Equal means equal in every element: no tolerance; NaN equals NaN.
    """
    if model.shape != source.shape:
        return f"has shape {list(model.shape)} for {list(source.shape)}"
    if source.is_meta:
        return "the tensor to compare with is on the meta device"
    if model.is_complex() != source.is_complex():
        return "complex on one side only"
    own, given = _rows(model), _rows(source.to(model.dtype))
    if torch.equal(own, given):
        return ""
    differing = (own != given).any(dim=1)
    ours, theirs = (_elements(rows[differing], model.dtype) for rows in (own, given))
    unequal = ours != theirs
    if model.is_floating_point() or model.is_complex():
        unequal &= ~(ours.isnan() & theirs.isnan())
    else:
        unequal = torch.ones_like(unequal)
    if not unequal.any():
        return ""
    largest = (ours - theirs).abs()[unequal].max().item()
    count = f"{int(unequal.sum()):,} of {model.numel():,} elements differ"
    return f"{count}, max abs {largest:.3g}{_nature(model, source)}"


def look_alikes(tensors: Mapping[str, torch.Tensor], source: Source) -> dict[str, tuple[str, ...]]:
    """The checkpoint names whose data each of the given model tensors holds; constant tensors tell nothing.

    Reads the checkpoint tensors that have the shape of one of them, once each.
    """
    wanted: dict[tuple[int, ...], dict[torch.dtype, dict[bytes, list[str]]]] = {}
    for name, tensor in tensors.items():
        if not _constant(tensor):
            by_dtype = wanted.setdefault(tuple(tensor.shape), {})
            by_dtype.setdefault(tensor.dtype, {}).setdefault(_digest(tensor), []).append(name)
    found: dict[str, list[str]] = {}
    for candidate, spec in source.specs.items():
        for dtype, digests in wanted.get(spec.shape, {}).items():
            given = source.read(candidate)
            if given.is_complex() == dtype.is_complex and not given.is_meta:
                for name in digests.get(_digest(given.to(dtype)), ()):
                    found.setdefault(name, []).append(candidate)
    return {name: tuple(names) for name, names in found.items()}


def on_meta(model: torch.nn.Module) -> Iterable[tuple[str, torch.Tensor]]:
    """Every tensor of a model that has no data: parameters, all buffers, and plain tensor attributes."""
    for path, module in model.named_modules(remove_duplicate=False):
        held = {**vars(module), **dict(module.named_parameters(recurse=False))}
        held |= dict(module.named_buffers(recurse=False))
        for name, value in held.items():
            if isinstance(value, torch.Tensor) and value.is_meta:
                yield f"{path}.{name}" if path else name, value


def _nature(model: torch.Tensor, source: torch.Tensor) -> str:
    if model.dim() == 2 and torch.equal(_rows(model), _rows(source.to(model.dtype).T)):
        return "; it is the checkpoint's, transposed"
    if _constant(model):
        return f"; the model's are all {model.flatten()[0].item():g}"
    return ""


def _constant(tensor: torch.Tensor) -> bool:
    rows = _rows(tensor)
    return len(rows) < 2 or bool((rows == rows[0]).all())


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of each element, in rows: works for every dtype, which ``==`` and ``equal`` do not."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    return as_bytes(plain).reshape(tensor.numel(), tensor.element_size())


def _elements(rows: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return rows.flatten().view(dtype).to(torch.complex128 if dtype.is_complex else torch.float64)


def _digest(tensor: torch.Tensor) -> bytes:
    return hashlib.blake2b(_rows(tensor).numpy().tobytes(), digest_size=16).digest()
