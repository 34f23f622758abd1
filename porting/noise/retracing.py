"""Reruns of a captured model that are compared with its trace as they go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.comparison import LeafPair, Positions, TensorComparison, compare_tensors
from porting.comparison.layout import Layout
from porting.hooks.tracking import CallTracker, OpenCall
from porting.reruns.feeding import Key, Place, Plan, PromotedFeeder
from porting.reruns.precision import Promotion
from porting.tolerance import Tolerance
from porting.trace import Trace, Value, flatten
from porting.trace.bits import plain, same_bits

RESULT: Key = (-1, "", 0)
"""Stands for what the whole run returned where a place names a call."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a rerun is from what was recorded at one place.

    Attributes:
        max_abs: largest difference; infinite if the two cannot be compared.
        l2: root of the summed squared differences.
        reference_l2: the same of what was recorded.
        elements: how many elements were compared.
    """

    max_abs: float = 0.0
    l2: float = 0.0
    reference_l2: float = 0.0
    elements: int = 0

    @classmethod
    def of(cls, numbers: TensorComparison) -> Difference:
        """Of a comparison."""
        if numbers.original_shape == numbers.ported_shape and not numbers.comparable:
            return cls()
        sizes = numbers.max_abs, numbers.l2, numbers.reference_l2
        return cls(*sizes, numbers.elements) if all(map(math.isfinite, sizes)) else cls(math.inf)

    @property
    def known(self) -> bool:
        """Whether anything was compared, and everything could be."""
        return self.elements > 0 and math.isfinite(self.max_abs)

    @property
    def relative_l2(self) -> float:
        """`l2` over `reference_l2`; 0 where nothing but zeros was recorded."""
        return self.l2 / self.reference_l2 if self.reference_l2 else 0.0

    def with_part(self, other: Difference) -> Difference:
        """Of this and another part of the same tensor together."""
        return Difference(
            max(self.max_abs, other.max_abs),
            math.hypot(self.l2, other.l2),
            math.hypot(self.reference_l2, other.reference_l2),
            self.elements + other.elements,
        )


class SelfFed(PromotedFeeder):
    """A rerun in which every call is fed what it got when the trace was recorded, so that no difference travels on.

    What its caller holds is left alone, as the recorder does, whose figures are the same.

    Attributes:
        made: the calls that were made.
        found: by place, what was recorded against what the rerun made there, which is the reference.
    """

    callers_too = False

    def __init__(self, model: torch.nn.Module, trace: Trace, positions: Positions, promotion: Promotion) -> None:
        plans = {call.key: Plan(call, call, _itself(call.inputs), _itself(call.outputs)) for call in trace.calls}
        super().__init__(model, trace, plans, promotion)
        self.positions = positions
        self.made: set[Key] = set()
        self.found: dict[Place, TensorComparison] = {}
        self._unfed: set[Key] = set()

    def arrived(self, call: OpenCall, fed: set[int], leaves: Sequence[tuple[str, Any]]) -> None:
        """Note the call, and whether nothing that it got is from the trace: then its output is no evidence."""
        self.made.add(call.key)
        if not fed and any(isinstance(leaf, torch.Tensor) and _rounds(leaf) for _, leaf in leaves):
            self._unfed.add(call.key)

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Compare with what was recorded."""
        if _rounds(tensor) and not (where == "output" and call.key in self._unfed):
            recorded, mask = self.original.tensor(pair.original), self.positions.mask(tensor)
            numbers = compare_tensors(tensor, recorded, Tolerance(), mask)
            self.found[call.key, where, pair.ported.name] = numbers


class Retraced(CallTracker):
    """A rerun that is left to itself.

    Attributes:
        row: the number of the row that it is given, and of how many; None if it is given all.
        made: the calls that were made.
        found: by place, how far it is from what was recorded.
    """

    def __init__(
        self, model: torch.nn.Module, trace: Trace, positions: Positions, row: tuple[int, int] | None = None
    ) -> None:
        super().__init__(model)
        self.trace = trace
        self.positions = positions
        self.row = row
        self.made: set[Key] = set()
        self.found: dict[Place, Difference] = {}

    def entering(self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note the call."""
        self.made.add(call.key)

    def leaving(self, call: OpenCall, output: Any) -> None:
        """Compare what the call returned."""
        recorded = self.trace.by_key.get(call.key)
        if recorded is not None:
            self._compare(call.key, recorded.outputs, output)

    def finished(self, result: Any) -> None:
        """Compare what the run returned."""
        self._compare(RESULT, self.trace.outputs, result)

    def _compare(self, key: Key, value: Value, live: Any) -> None:
        tensors = dict(flatten(live)[1])
        for leaf in value.tensor_leaves():
            recorded = self.trace.tensor(leaf)
            if _rounds(recorded) and (self.row is None or recorded.shape[:1] == (self.row[1],)):
                self.found[key, "output", leaf.name] = self._difference(recorded, tensors.get(leaf.name))

    def _difference(self, recorded: torch.Tensor, live: Any) -> Difference:
        if not isinstance(live, torch.Tensor):
            return Difference(math.inf)
        mask = self.positions.mask(recorded)
        if self.row is not None:
            part = slice(self.row[0], self.row[0] + 1)
            recorded, mask = recorded[part], None if mask is None else mask[part]
        return Difference.of(compare_tensors(recorded, live, Tolerance(), mask))


class Repeated(Retraced):
    """A rerun in the very same way: what it does not repeat to the last bit counts as infinitely far."""

    def _difference(self, recorded: torch.Tensor, live: Any) -> Difference:
        same = isinstance(live, torch.Tensor) and (live.shape, live.dtype) == (recorded.shape, recorded.dtype)
        if same and same_bits(plain(live).cpu().contiguous(), recorded.contiguous()):
            return Difference()
        return Difference(math.inf)


def _itself(value: Value) -> list[LeafPair]:
    return [LeafPair(leaf, leaf, Layout("same", leaf.shape or ())) for leaf in value.tensor_leaves()]


def _rounds(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()
