"""Content sketches: a tensor in short, comparable after a transpose, a split or a concatenation.

A sketch holds, for each of the first two axes, one number per index along it: the inner product of that slice with
a fixed pseudo-random vector (a random projection).  Two slices with equal content have equal numbers whatever
tensor they are cut from, so a fused tensor's numbers contain those of its parts, and a transposed matrix has the
numbers of its other axis.  Order matters: exchanged rows exchange their numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import overload

import numpy as np
import torch

from porting.trace.bits import pieces, plain

BLOCK_ELEMENTS = 1 << 19
"""Elements converted to float64 at a time."""
KEPT_PROJECTION = 1 << 20
"""Length up to which the projection is kept for the next tensor."""


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A tensor in short.

    Attributes:
        axes: for a tensor of two or more dimensions the signatures along axis 0 and axis 1, for fewer the values
            themselves, once; float64.
        crc32: of the bytes, row-major: equal tensors of one dtype have equal sums.
    """

    axes: Sequence[np.ndarray]
    crc32: int


class StoredAxes(Sequence[np.ndarray]):
    """The axes of a sketch that lie in a trace: read when they are first looked at."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], keys: Sequence[str]) -> None:
        """Read the axes from ``tensors``, under these keys."""
        self.tensors = tensors
        self.keys = tuple(keys)

    @cached_property
    def _axes(self) -> tuple[np.ndarray, ...]:
        return tuple(self.tensors[key].numpy() for key in self.keys)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[np.ndarray, ...]: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | tuple[np.ndarray, ...]:
        return self._axes[index]

    def __len__(self) -> int:
        return len(self.keys)


def sketch(tensor: torch.Tensor) -> Sketch | None:
    """Sketch a tensor; None if it has no data (on ``meta``) or its dtype has no float64 form.

    Args:
        tensor: any shape, any real or complex dtype, any device.
    """
    if tensor.is_meta or tensor.is_quantized or tensor.is_nested or tensor.layout != torch.strided:
        return None
    values = plain(tensor)
    crc32 = 0
    for piece in pieces(values):
        crc32 = zlib.crc32(piece, crc32)
    if values.is_complex():
        values = torch.view_as_real(values)
    try:
        if tensor.dim() < 2:
            return Sketch((values.reshape(-1).to("cpu", torch.float64, copy=True).numpy(),), crc32)
        return Sketch(_signatures(values), crc32)
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


def projection(start: int, stop: int) -> np.ndarray:
    """Elements ``start`` to ``stop`` of the fixed vector that slices are projected on: float64 in [-1, 1).

    The i-th element is the output of the splitmix64 mixing function for i (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", 2014), scaled; it does not depend on the slice's length.
    """
    if stop > KEPT_PROJECTION:
        return _mixed(start, stop)
    return _kept_projection(1 << max(stop - 1, 1).bit_length())[start:stop]


@lru_cache(maxsize=32)
def _kept_projection(length: int) -> np.ndarray:
    return _mixed(0, length)


def _mixed(start: int, stop: int) -> np.ndarray:
    z = np.arange(start + 1, stop + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z.astype(np.float64) / 2.0**63 - 1.0


def _signatures(values: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Both axes' signatures, block by block over the first two axes and the flattened rest."""
    cube = values.flatten(2) if values.dim() > 2 else values.unsqueeze(2)
    rows, columns, depth = cube.shape
    first, second = (torch.zeros(length, dtype=torch.float64, device="cpu") for length in (rows, columns))
    for i, j, k in _blocks(rows, columns, depth):
        block = cube[i, j, k].to("cpu", torch.float64)
        first[i] += block.flatten(1) @ _weights(j, k, depth).flatten()
        along = _weights(i, k, depth)
        second[j] += along.T[0] @ block[..., 0] if depth == 1 else (block @ along.unsqueeze(2)).sum((0, 2))
    return first.numpy(), second.numpy()


def _weights(rows: slice, depth: slice, stride: int) -> torch.Tensor:
    """The projection at the places of a block within slices whose rows are ``stride`` long."""
    if depth.stop - depth.start == stride:
        return torch.from_numpy(projection(rows.start * stride, rows.stop * stride)).view(-1, stride)
    spans = [(row * stride + depth.start, row * stride + depth.stop) for row in range(rows.start, rows.stop)]
    return torch.stack([torch.from_numpy(projection(*span)) for span in spans])


def _blocks(rows: int, columns: int, depth: int) -> Iterator[tuple[slice, slice, slice]]:
    deep = max(1, min(depth, BLOCK_ELEMENTS))
    wide = max(1, min(columns, BLOCK_ELEMENTS // deep))
    high = max(1, min(rows, BLOCK_ELEMENTS // (deep * wide)))
    for i in range(0, rows, high):
        for j in range(0, columns, wide):
            for k in range(0, depth, deep):
                yield (
                    slice(i, min(i + high, rows)),
                    slice(j, min(j + wide, columns)),
                    slice(k, min(k + deep, depth)),
                )
