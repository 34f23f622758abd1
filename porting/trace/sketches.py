"""Content sketches: a tensor in short, comparable after a transpose, a split or a concatenation.

A sketch holds, for each of the first two axes, one number per index along it: the inner product of that slice with
a fixed pseudo-random vector (a random projection).  Two slices with equal content have equal numbers whatever
tensor they are cut from, so a fused tensor's numbers contain those of its parts, and a transposed matrix has the
numbers of its other axis.  Order matters: exchanged rows exchange their numbers.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

SLICE_ELEMENTS = 1 << 20
"""Elements converted to float64 at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A tensor in short.

    Attributes:
        axes: for a tensor of two or more dimensions the signatures along axis 0 and axis 1, for fewer the values
            themselves, once; float64.
        crc32: of the bytes, row-major: equal tensors of one dtype have equal sums.
    """

    axes: tuple[np.ndarray, ...]
    crc32: int


def sketch(tensor: torch.Tensor) -> Sketch | None:
    """Sketch a tensor; None if it has no data (on ``meta``) or its dtype has no float64 form.

    Args:
        tensor: any shape, any real or complex dtype, any device.
    """
    if tensor.is_meta or tensor.is_quantized or tensor.is_nested or tensor.layout != torch.strided:
        return None
    values = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    crc32 = zlib.crc32(as_bytes(values).numpy().data)
    if values.is_complex():
        values = torch.view_as_real(values)
    try:
        if tensor.dim() < 2:
            return Sketch((values.reshape(-1).to(torch.float64, copy=True).numpy(),), crc32)
        return Sketch((_signature(values, 0), _signature(values, 1)), crc32)
    except NotImplementedError:
        return None


def shared_rows(whole: Sketch, part: Sketch) -> float:
    """Share of the rows of ``part`` (elements, for a vector) that are among those of ``whole``, in any order."""
    rows, wanted = np.sort(whole.axes[0]), part.axes[0]
    if not len(rows) or not len(wanted):
        return 0.0
    right = np.clip(np.searchsorted(rows, wanted), min(1, len(rows) - 1), len(rows) - 1)
    distance = np.minimum(np.abs(rows[right] - wanted), np.abs(rows[right - 1] - wanted))
    spacing = float(np.std(rows)) / len(rows)
    return float(np.mean(distance <= 1e-3 * spacing))


def as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of a contiguous tensor on the cpu, row-major, as uint8; no copy."""
    # a single element counts as contiguous whatever its stride is, and is viewed as bytes only with a stride of 1
    return tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8)


def projection(length: int) -> np.ndarray:
    """The fixed vector that slices of ``length`` elements are projected on: float64 in [-1, 1).

    The i-th element is the output of the splitmix64 mixing function for i (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", 2014), scaled; it does not depend on ``length``.
    """
    return _projection(1 << max(length - 1, 1).bit_length())[:length]


@lru_cache(maxsize=32)
def _projection(length: int) -> np.ndarray:
    z = (np.arange(1, length + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z.astype(np.float64) / 2.0**63 - 1.0


def _signature(values: torch.Tensor, axis: int) -> np.ndarray:
    slices = values.movedim(axis, 0).flatten(1)
    weights = torch.from_numpy(projection(slices.shape[1]))
    rows = max(1, SLICE_ELEMENTS // max(1, slices.shape[1]))
    return torch.cat([chunk.double() @ weights for chunk in torch.split(slices, rows)]).numpy()
