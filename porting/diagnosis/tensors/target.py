"""What a ported tensor should hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.owned import Axes, Owned, axes_close, axes_of, squeezed


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What a ported tensor should hold.

    Attributes:
        source: the original tensor.
        shape: in the port.
        axes: of the wanted content's sketch, as the port lays it out.
        turned: whether the port keeps the matrix transposed.
        rows: of the original's fused tensor; None for all of it.
        certain: whether alignment or names say so, and not only that nothing else is left.
        apart: whether these are rows in another order than that in which the module is aligned.
    """

    source: Owned
    shape: tuple[int, ...]
    axes: Axes
    turned: bool = False
    rows: np.ndarray | None = None
    certain: bool = True
    apart: bool = False

    @property
    def name(self) -> str:
        """The original's name in print."""
        return f"rows of {self.source.name}" if self.rows is not None else self.source.name

    def met_by(self, values: torch.Tensor) -> bool:
        """Whether these are the wanted values, by their sketch."""
        return tuple(values.shape) == self.shape and axes_close(self.axes, axes_of(values))

    def held_by(self, tensor: Owned) -> bool:
        """Whether a traced tensor holds the wanted values."""
        return tensor.shape == self.shape and axes_close(self.axes, tensor.axes)

    def written_out(self) -> torch.Tensor | None:
        """The values, if the sketch gives them: of a vector, or of a tensor with one element in each slice."""
        first = self.axes[0] if self.axes else None
        if self.rows is None and len(self.source.axes) == 1 and self.source.axes[0].size == math.prod(self.shape):
            return torch.from_numpy(self.source.axes[0]).reshape(self.shape)
        if first is None or math.prod(self.shape) != first.size or self.source.info.dtype.startswith("complex"):
            return None
        scale = 1.0 if len(self.shape) < 2 else _first_weight()
        return torch.from_numpy(first / scale).reshape(self.shape)

    def content(self, case: Case) -> torch.Tensor | None:
        """The values in the port's layout: from the sketch, else from the live original; None without it."""
        if (values := self.written_out()) is not None:
            return values
        whole = case.weights(self.source.path, self.source.info.name)
        if whole is None:
            return None
        if self.rows is not None:
            return whole[torch.from_numpy(self.rows)]
        return whole.t() if self.turned else whole.reshape(self.shape)


def _first_weight() -> float:
    return float(axes_of(torch.ones(1, 1, dtype=torch.float64))[0][0])


def layouts(source: Owned, tensor: Owned, *, certain: bool) -> Iterator[Target]:
    """The original's tensor as it is, or transposed where the shapes allow it."""
    if source.info.sketch is None:
        return
    if source.shape == tensor.shape:
        yield Target(source, tensor.shape, source.axes, certain=certain)
    elif len(tensor.shape) == 2 and source.shape == tensor.shape[::-1]:
        yield Target(source, tensor.shape, source.turned, turned=True, certain=certain)
    elif source.table == tensor.table:
        axes = (None, source.rows) if tensor.is_one else (source.rows, None)
        yield Target(source, tensor.shape, axes, certain=certain)
    elif squeezed(source.shape) == squeezed(tensor.shape) and len(source.axes) == 1:
        axes = source.axes if len(tensor.axes) == 1 else axes_of(torch.from_numpy(source.axes[0]).view(tensor.shape))
        yield Target(source, tensor.shape, axes, certain=certain)
