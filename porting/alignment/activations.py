"""Evidence from activations: in free runs, modules with one role receive and return the same values.

Values are compared by figures that no transposition, reshape or repetition changes, so that the layout is no matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from porting.alignment.sides import Side
from porting.trace import Leaf, Trace, Value

CLOSE = 1e-3
"""Difference of two tensors' figures, relative to their root mean square, up to which they are the same."""
CLOSE_HALF = 2e-2
"""The same if either is in half precision."""
NOISE = 0.02
"""Share of these up to which a difference is rounding, and how much of what goes in may grow within a module."""
GROWTH = 10.0
FIGURES = 5
RESULTS = 3
"""How many of a module's results are looked at."""


@dataclass(frozen=True)
class Flow:
    """What goes in and comes out of the modules of both sides; every matrix is (original, ported), bool.

    Attributes:
        inputs: whether two modules are given the same values.
        outputs: whether they return the same.
        given: the figures of what the modules of either side were given.
        made: the figures of the first few tensors that they returned.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    given: tuple[np.ndarray, np.ndarray]
    made: tuple[tuple[np.ndarray, np.ndarray], ...]

    @classmethod
    def of(cls, original: Side, ported: Side) -> Flow:
        """Look at the first tensor that each module was given, and at the first few that it returned."""
        one, other = Figures(original.trace), Figures(ported.trace)
        sides = ((one, [*original.calls]), (other, [*ported.calls]))
        left, right = (each.table([call.inputs for call in calls]) for each, calls in sides)
        tables = [
            [each.table([call.outputs for call in calls], place) for each, calls in sides] for place in range(RESULTS)
        ]
        made = tuple((first, second) for first, second in tables)
        results = [same_figures(first, second) for first, _ in made for _, second in made]
        return cls(same_figures(left, right), np.asarray(np.any(results, axis=0)), (left, right), made)

    def works(self, row: int, column: int, *, exactly: bool = False) -> bool:
        """Whether all that a module of the port returns is as near to the original's as what it was given.

        With ``exactly`` it must be so near that all that came before works, too.
        """
        least = NOISE * max(*np.nan_to_num([self.given[0][row, -1], self.given[1][column, -1]]), CLOSE)
        grown = max(_apart(one[row], other[column]) for one, other in self.made)
        given = _apart(self.given[0][row], self.given[1][column])
        return bool(self.outputs[row, column] and grown <= GROWTH * given * (not exactly) + least)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """How far the figures of two tensors are apart, in their units; 0 if either has none."""
    units = np.ones(FIGURES)
    units[[0, -1]] = np.maximum(np.abs(one), np.abs(other))[[0, FIGURES - 1]]
    units[np.isinf(units)] = 1.0
    return float(np.nan_to_num(np.abs(one - other)[:FIGURES] / units).max())


def elsewhere(same: np.ndarray) -> np.ndarray:
    """Where the values of either are those of a module of the other side, and not of this one; bool."""
    known = np.asarray(same.any(1)), np.asarray(same.any(0))
    return np.asarray(~same & (known[0][:, None] | known[1][None, :]))


class Figures:
    """The figures of a trace's tensors, each computed once."""

    def __init__(self, trace: Trace) -> None:
        from porting.comparison.positions import Positions  # the room of comparisons stands on this one

        self.trace = trace
        self.positions = Positions.of(trace)
        self._known: dict[str, np.ndarray] = {}

    def table(self, values: list[Value], place: int = 0) -> np.ndarray:
        """(values, figures and tolerance) of the first tensors or later ones, NaN where there is nothing to go by."""
        leaves = [_telling(value)[place : place + 1] for value in values]
        rows = [self.of(found[0]) if found else np.full(FIGURES + 1, np.nan) for found in leaves]
        return np.array(rows).reshape(len(rows), FIGURES + 1)

    def of(self, leaf: Leaf) -> np.ndarray:
        """The figures of one tensor: root mean square, means, largest element, and the tolerance last."""
        key = str(leaf.tensor)
        if key not in self._known:
            tensor = self.trace.tensor(leaf)
            mask = self.positions.mask(tensor)
            values = tensor if mask is None else tensor[mask]
            tolerance = CLOSE_HALF if tensor.is_floating_point() and tensor.element_size() < 4 else CLOSE
            self._known[key] = np.array([*_figures(values), tolerance])
        return self._known[key]


def _telling(value: Value) -> list[Leaf]:
    """The tensors that a module works on: those of real numbers first, then those of whole ones."""
    leaves = [leaf for leaf in value.tensor_leaves() if leaf.dtype not in (None, "bool")]
    return sorted(leaves, key=lambda leaf: "float" not in str(leaf.dtype))


def _figures(tensor: torch.Tensor) -> list[float]:
    """Root mean square, and mean, mean size, mean signed square and largest size in its units; NaN for a constant."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    flat = torch.nan_to_num(tensor.detach().reshape(-1).float(), posinf=0.0, neginf=0.0)
    if flat.numel() < 2 or bool(flat[0] == flat.min()) & bool(flat[0] == flat.max()):
        return [float("nan")] * FIGURES
    size = flat.abs()
    scale = float(flat.square().mean().sqrt()) or 1.0
    return [
        scale,
        float(flat.mean()) / scale,
        float(size.mean()) / scale,
        float((flat * size).mean()) / scale**2,
        float(size.max()) / scale,
    ]


def same_figures(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which rows of figures are the same."""
    tolerance = np.maximum(one[:, None, -1], other[None, :, -1])
    found = np.ones(tolerance.shape, bool)
    for column in range(FIGURES):
        a, b = one[:, None, column], other[None, :, column]
        units = np.maximum(np.abs(a), np.abs(b)) if column in (0, FIGURES - 1) else 1.0
        with np.errstate(invalid="ignore"):
            found &= np.abs(a - b) <= tolerance * units
    return found
