"""Tensors by owner and name, their contents in short, and the live ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from porting.hooks.module_table import owned_tensors
from porting.trace import ParameterInfo, Trace, sketch

EQUAL = 1e-6
"""Relative distance of sketches under which two float tensors count as the same values."""

Axes = tuple["np.ndarray | None", ...]
"""A sketch's axes; None where it is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Owned:
    """A parameter or buffer with the module that owns it."""

    path: str
    info: ParameterInfo

    @property
    def name(self) -> str:
        """Its full name."""
        return f"{self.path}.{self.info.name}" if self.path else self.info.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.info.shape

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        """Its sketch's axes, empty if there is no sketch."""
        return () if self.info.sketch is None else tuple(self.info.sketch.axes)

    @property
    def turned(self) -> tuple[np.ndarray, ...]:
        """The axes of the transposed matrix; empty for what is no matrix."""
        return self.axes[::-1] if len(self.shape) == 2 else ()

    @property
    def is_one(self) -> bool:
        """Whether it is a table behind an axis of one, as positions are that are added to every sequence."""
        return len(self.shape) == 3 and self.shape[0] == 1

    @property
    def table(self) -> tuple[int, ...]:
        """Its shape without that axis."""
        return self.shape[1:] if self.is_one else self.shape

    @property
    def rows(self) -> np.ndarray | None:
        """The signatures of its rows, or of those behind an axis of one: equal with and without that axis."""
        return self.axes[1] if self.is_one and len(self.axes) > 1 else self.axes[0] if self.axes else None

    @property
    def is_constant(self) -> bool:
        """Whether one value fills it, or it has one element: its content names no tensor."""
        if self.axes and all(axis.size < 2 for axis in self.axes) and math.prod(self.shape) > 1:
            return not any(axis.any() for axis in self.axes)  # the values lie along a further axis
        return all(axis.size < 2 or bool(np.ptp(axis) == 0) for axis in self.axes)


def tensors_of_trace(trace: Trace) -> Iterator[Owned]:
    """Every parameter and buffer, tied ones under each name."""
    for module in trace.modules.values():
        yield from (Owned(module.path, info) for info in module.parameters)


def same_content(one: Owned, other: Owned) -> bool:
    """Whether two tensors of one shape, but for axes of length 1, hold the same values."""
    if squeezed(one.shape) != squeezed(other.shape) or one.info.sketch is None or other.info.sketch is None:
        return False
    if one.info.dtype == other.info.dtype and one.info.sketch.crc32 == other.info.sketch.crc32:
        return True
    return one.shape == other.shape and axes_close(one.axes, other.axes)


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of length 1."""
    return tuple(length for length in shape if length != 1)


def axes_close(wanted: Sequence[np.ndarray | None], seen: Sequence[np.ndarray], distance: float = EQUAL) -> bool:
    """Whether the axes that are known agree, within a relative distance; at least one must be known."""
    known = [(a, b) for a, b in zip(wanted, seen, strict=False) if a is not None]
    return bool(known) and all(a.shape == b.shape and away(a, b) <= distance for a, b in known)


def away(wanted: np.ndarray, seen: np.ndarray) -> float:
    """Relative L2 distance."""
    scale, gap = float(np.linalg.norm(wanted)), float(np.linalg.norm(wanted - seen))
    return gap / scale if scale else float("inf") if gap else 0.0


def live(model: torch.nn.Module, tensor: Owned) -> torch.Tensor:
    """The live tensor itself.

    Raises:
        KeyError: the model has none of that name.
    """
    for name, _, found in owned_tensors(model.get_submodule(tensor.path)):
        if name == tensor.info.name:
            return found
    raise KeyError(tensor.name)


def axes_of(values: torch.Tensor) -> tuple[np.ndarray, ...]:
    """The sketch's axes of live values; empty for what cannot be sketched."""
    found = sketch(values)
    return () if found is None else tuple(found.axes)
