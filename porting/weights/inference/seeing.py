"""A converted port at work: which of its results are found in the original's trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from porting.alignment.activations import Figures, same_figures
from porting.errors import PortingError
from porting.hooks.capturing import capture
from porting.runs import Inputs, OutputPairs, Run
from porting.tolerance import Tolerance
from porting.trace import Trace, Value
from porting.weights.inference.claims import Claim
from porting.weights.rules.steps import applied

EXACT, ROUNDINGS = 1e-4, 8
"""Relative error up to which outputs differ by rounding, and how many units in the last place that is at least."""
NEARER = 0.3
"""Share of an error below which another is much smaller."""

Read = Callable[[str], torch.Tensor]
Outputs = Callable[[Any, Any], OutputPairs | None]


@dataclass(frozen=True)
class Sight:
    """What one run of the port showed.

    Attributes:
        results: by path, in the order in which the modules returned, whether the original has the results, too.
        inputs: by path, the figures of what the module was given first, (figures and tolerance).
        given: by path, whether the original has that, too.
        right: whether the final outputs are the original's within the tolerance.
        error: how far they are off, relative to their size; infinite if they cannot be compared.
        exact: whether that is rounding.
    """

    results: Mapping[str, bool]
    inputs: Mapping[str, np.ndarray]
    given: Mapping[str, bool]
    right: bool
    error: float = math.inf
    exact: bool = False

    @property
    def score(self) -> int:
        """How much of the port works."""
        return sum(self.results.values()) + 1000 * self.right

    def beats(self, other: Sight) -> bool:
        """Whether more works, or as much and the outputs are much nearer."""
        return self.score > other.score or (self.score == other.score and self.error < NEARER * other.error)


class Bench:
    """Loads claims into a port of its own, runs it, and looks."""

    def __init__(
        self,
        original: Trace,
        ported: torch.nn.Module,
        inputs: Inputs,
        read: Read,
        run: Run | None = None,
        outputs: Outputs | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        """``ported`` is written to; ``read`` gives the checkpoint's tensors."""
        self.original, self.ported, self.inputs, self.run = original, ported, inputs, run
        self.outputs, self.tolerance = outputs, tolerance or Tolerance()
        self.trials = 0
        self._read = read
        self._loaded: dict[str, Claim] = {}
        self._result = original.value(original.outputs)
        figures = Figures(original)
        self.known = _rows([value for call in original.completed for value in (call.inputs, call.outputs)], figures)
        self.takers = {
            call.path: _rows([call.inputs], figures) for call in reversed(original.completed) if call.inputs.leaves
        }

    def load(self, claims: Sequence[Claim]) -> None:
        """Write what is claimed into the port, as far as it is not there yet."""
        state = self.ported.state_dict()
        with torch.no_grad():
            for claim in claims:
                if any(self._loaded.get(name) is not claim for name in claim.target_names):
                    for name, tensor in zip(claim.target_names, made(claim, self._read), strict=True):
                        state[name].copy_(tensor)
                        self._loaded[name] = claim

    def look(self, claims: Sequence[Claim]) -> Sight:
        """Run the port with these claims."""
        self.trials += 1
        results: list[Any] = []

        def kept(model: torch.nn.Module, inputs: Inputs) -> Any:
            results.append(self.run(model, inputs) if self.run else inputs.forward(model))
            return results[-1]

        try:
            self.load(claims)
            trace = capture(
                self.ported,
                self.inputs,
                run=kept,
                side="ported",
                seed=1,
                sketches=False,
                valid_positions=self.original.valid_positions(),
            )
        except PortingError:
            return Sight({}, {}, {}, right=False)
        return self._sight(trace, results[-1])

    def compared(self, result: Any) -> list[torch.Tensor]:
        """The tensors of a result of the port that the user says are to be compared; none if that is not said."""
        pairs = self.outputs(self._result, result) if self.outputs else None
        return [other for _, _, other in pairs or ()]

    def _sight(self, trace: Trace, result: Any) -> Sight:
        figures, calls = Figures(trace), list(trace.first_calls.values())
        order = {call.path: place for place, call in reversed(list(enumerate(trace.completed)))}
        calls.sort(key=lambda call: order[call.path])
        given = figures.table([call.inputs for call in calls])
        returned = figures.table([call.outputs for call in calls])
        paths = [call.path for call in calls]
        found: list[list[bool]] = [np.any(same_figures(rows, self.known), 1).tolist() for rows in (returned, given)]
        return Sight(
            dict(zip(paths, found[0], strict=True)),
            dict(zip(paths, given, strict=True)),
            dict(zip(paths, found[1], strict=True)),
            *self._judged(result, trace, figures, found=bool(found[0][paths.index("")])),
        )

    def _judged(self, result: Any, trace: Trace, figures: Figures, *, found: bool) -> tuple[bool, float, bool]:
        """Whether the final outputs are the original's, their relative error, and whether that is rounding."""
        pairs = self._pairs(result, trace, figures)
        if not pairs:
            return found, 0.0 if found else math.inf, found
        atol, rtol = self.tolerance.atol, self.tolerance.rtol
        right = all(
            a.shape == b.shape and torch.allclose(b.double(), a.double(), rtol=rtol, atol=atol) for a, b in pairs
        )
        error = max(_error(one, other) for one, other in pairs)
        least = max(torch.finfo(b.dtype).eps if b.is_floating_point() else 0.0 for _, b in pairs)
        return right, error, right and error <= max(EXACT, ROUNDINGS * least)

    def _pairs(self, result: Any, trace: Trace, figures: Figures) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The final outputs that go together: as the user says, else those of one shape in their order."""
        if self.outputs and (said := self.outputs(self._result, result)):
            return [_counting(one, other, figures) for _, one, other in said]
        ones = [self.original.tensor(leaf) for leaf in self.original.outputs.tensor_leaves()]
        pairs = []
        for leaf in trace.outputs.tensor_leaves():
            other = trace.tensor(leaf)
            place = next((at for at, one in enumerate(ones) if one.shape == other.shape), None)
            if place is not None and other.is_floating_point():
                pairs.append(_counting(ones.pop(place), other, figures))
        return pairs


def _counting(one: torch.Tensor, other: torch.Tensor, figures: Figures) -> tuple[torch.Tensor, torch.Tensor]:
    """What counts of two tensors: those at valid positions."""
    mask = figures.positions.mask(other) if one.shape == other.shape else None
    return (one, other) if mask is None else (one[mask], other[mask])


def _error(one: torch.Tensor, other: torch.Tensor) -> float:
    """The relative difference; infinite for other shapes and NaN."""
    if one.shape != other.shape:
        return math.inf
    size = float(one.double().norm())
    error = float((one.double() - other.double()).norm()) / (size or 1.0)
    return error if error == error else math.inf


def made(claim: Claim, read: Read) -> list[torch.Tensor]:
    """The tensors of a claim's targets."""
    groups = [[read(name) for name in unit.members] for unit in claim.sources]
    return [tensor for group in applied(claim.operations, groups) for tensor in group]


def _rows(values: Sequence[Value], figures: Figures) -> np.ndarray:
    """The figures of all tensors of these values, each once, (tensors, figures and tolerance)."""
    leaves = {str(leaf.tensor): leaf for value in values for leaf in value.tensor_leaves()}
    rows = [figures.of(leaf) for leaf in leaves.values() if leaf.dtype not in (None, "bool")]
    return np.array(rows).reshape(len(rows), -1) if rows else np.zeros((0, 6))
