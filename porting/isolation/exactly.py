"""The reference-fed run in float64: what rounding explains at each place, and where an autocast lowers precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from porting.comparison import LeafPair, Positions, compare_tensors
from porting.hooks.tracking import OpenCall
from porting.reruns.feeding import Key, Place, Plan, PromotedFeeder
from porting.reruns.precision import Promotion, under_autocast
from porting.tolerance import Tolerance
from porting.trace import Trace


class ExactFed(PromotedFeeder):
    """The run in float64: measures the rounding of the native run at the places where it differs.

    Attributes:
        errors: that rounding.
        lowered: the places of what was computed, at least in part, under an autocast, and the module that began it.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        original: Trace,
        plans: Mapping[Key, Plan],
        kept: Mapping[Place, torch.Tensor],
        positions: Positions,
        promotion: Promotion,
    ) -> None:
        super().__init__(model, original, plans, promotion)
        self.kept = kept
        self.positions = positions
        self.errors: dict[Place, tuple[float, float]] = {}
        self._counted = 0
        self._lowering: set[int] = set()
        self._inside: set[int] = set()
        self.lowered: dict[Place, str] = {}

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Note whether the caller computed under an autocast."""
        self._count(call.parent)
        if under_autocast():
            self._inside.add(call.index)
        return super().entering(call, args, kwargs)

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Note whether the call did; its caller has the original's tensors instead if they are known."""
        self._count(call)
        plan = self.plans.get(call.key)
        if call.index in self._lowering and call.parent is not None and (plan is None or not plan.outputs):
            self._lowering.add(call.parent.index)
        return super().leaving(call, output)

    def _caster(self, call: OpenCall) -> str:
        """The module whose own code began the autocast that a call is under; the model if it was under one already."""
        while call.index in self._inside and call.parent is not None:
            call = call.parent
        return call.path

    def _count(self, call: OpenCall | None) -> None:
        if call is not None and self.promotion.under_autocast != self._counted:
            self._lowering.add(call.index)
        self._counted = self.promotion.under_autocast

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Measure how far the native result is from this one: largest and L2 difference."""
        place = (call.key, where, pair.ported.name)
        maker = call.parent if where == "input" else call
        if maker is not None and maker.index in self._lowering:
            self.lowered[place] = self._caster(maker)
        if place in self.kept and self.kept[place].shape == tensor.shape:
            mask = self.positions.mask(tensor, call.key, pair.ported.name)
            numbers = compare_tensors(tensor, self.kept[place], Tolerance(), mask)
            self.errors[place] = (numbers.max_abs, numbers.l2)
