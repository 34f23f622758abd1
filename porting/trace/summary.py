"""One tensor of a trace in short: its figures, and its values abbreviated."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from porting.results import Result
from porting.text import show

if TYPE_CHECKING:
    from porting.trace.model import Trace
    from porting.trace.parts import Leaf

CHUNK = 1 << 20
FIRST = 20
"""Values that the JSON document has."""

_EXACT = frozenset((torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16,
                    torch.int32, torch.int64))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a tensor, over its finite values; those of complex ones are of their absolute values.

    Attributes:
        smallest: exact for integers; None where there is no finite value.
        largest: the same.
        mean: in float64, of booleans the share that is true.
        std: over the population, not a sample.
        nan: how many values are NaN.
        inf: how many are infinite.
        zeros: how many are zero.
    """

    smallest: float | int | None
    largest: float | int | None
    mean: float | None
    std: float | None
    nan: int
    inf: int
    zeros: int


@dataclass(frozen=True, repr=False)
class TensorSummary(Result):
    """A tensor at an address of a trace.

    Attributes:
        folder: of the trace, as it was given.
        address: as it was given.
        dtype: ``float32`` and so on.
        shape: of the tensor.
        strides: only where the live tensor was not contiguous.
        figures: minimum, maximum, mean and so on.
        values: the first values, row-major; a complex one is a pair, NaN and infinities are None.
        printed: the values as NumPy prints them, abbreviated.
        noise: what rounding does to it, if that was measured.
    """

    renderer: ClassVar[str] = "porting.report.files:render_tensor"

    folder: str
    address: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None
    figures: Figures
    values: tuple[Any, ...]
    printed: str
    noise: dict[str, tuple[float, float]] | None

    @property
    def ok(self) -> bool:
        """It could be shown."""
        return True

    def summary(self) -> str:
        """Address, dtype and shape."""
        return f"{show(self.address)}: {self.dtype} {self.shape}"

    def to_dict(self) -> dict[str, Any]:
        """Dtype, shape, figures, and the first values."""
        figures = {name: _finite(value) for name, value in asdict(self.figures).items()}
        return {
            "schema": 1,
            "folder": self.folder,
            "address": self.address,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "strides": self.strides and list(self.strides),
            "min": figures.pop("smallest"),
            "max": figures.pop("largest"),
            **figures,
            "values": [list(value) if isinstance(value, tuple) else value for value in self.values],
            "noise": self.noise and {kind: list(map(_finite, pair)) for kind, pair in self.noise.items()},
        }


def summarise(trace: Trace, address: str, folder: str = "") -> TensorSummary:
    """Look at one tensor of a trace.

    Args:
        trace: in memory or on disk.
        address: of the tensor (`porting.trace.address`).
        folder: of the trace, to be named in print.

    Raises:
        TraceError: there is no such recorded tensor, or it is damaged.
    """
    leaf: Leaf = trace.leaf(address)
    tensor = trace.tensor(address)
    flat = tensor.contiguous().reshape(-1)
    return TensorSummary(
        folder=folder,
        address=address,
        dtype=str(tensor.dtype).removeprefix("torch."),
        shape=tuple(tensor.shape),
        strides=leaf.strides,
        figures=figures_of(flat),
        values=tuple(map(_plain, _array(flat[:FIRST]).tolist())),
        printed=_printed(tensor),
        noise=dict(leaf.noise) if leaf.noise else None,
    )


def figures_of(flat: torch.Tensor) -> Figures:
    """The figures of a tensor of one dimension, of any dtype; it is converted piece by piece."""
    pieces = [flat[start : start + CHUNK] for start in range(0, len(flat), CHUNK)]
    nan = inf = zeros = count = 0
    total, low, high = 0.0, [], []
    with np.errstate(all="ignore"):
        for piece in pieces:
            array = _array(piece)
            nan, inf = nan + int(np.isnan(array).sum()), inf + int(np.isinf(array).sum())
            zeros += int((array == 0).sum())
            finite = _finite_part(array)
            count += len(finite)
            total += float(finite.sum(dtype=np.float64))
            low += [finite.min().item()] if len(finite) else []
            high += [finite.max().item()] if len(finite) else []
        if not count:
            return Figures(None, None, None, None, nan, inf, zeros)
        mean = total / count
        squares = sum(float(np.square(_finite_part(_array(piece)) - mean).sum()) for piece in pieces)
    return Figures(min(low), max(high), mean, math.sqrt(squares / count), nan, inf, zeros)


def _finite_part(array: np.ndarray) -> np.ndarray:
    finite = array if array.dtype.kind in "biu" else array[np.isfinite(array)]
    return np.abs(finite) if finite.dtype.kind == "c" else finite


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as NumPy can hold it: integers and complex numbers exactly, floats as float64."""
    if tensor.dtype in _EXACT or tensor.is_complex():
        return tensor.numpy()
    return tensor.to(torch.float64).numpy()


def _printed(tensor: torch.Tensor) -> str:
    native = tensor.dtype in (*_EXACT, torch.float16, torch.float32, torch.float64) or tensor.is_complex()
    array = (tensor if native else tensor.float()).numpy()
    return np.array2string(array, threshold=200, edgeitems=3, precision=6, max_line_width=110)


def _plain(value: Any) -> Any:
    if isinstance(value, complex):
        return _finite(value.real), _finite(value.imag)
    return _finite(value)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
