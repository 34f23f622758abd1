"""Feed a run of the port with the original's tensors, in the place of its own arguments and outputs."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

import torch

from porting.alignment import Alignment
from porting.comparison import LeafPair, pair_leaves
from porting.hooks.tracking import CallTracker, OpenCall
from porting.reruns.memory import Loan, Memory
from porting.reruns.precision import Promotion
from porting.trace import Call, Trace, flatten

Key = tuple[int, str, int]
"""Step, path and call index of a ported call."""
Place = tuple[Key, str, str]
"""A call, ``input`` or ``output``, and the name of the argument or output there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to feed to an aligned ported call, and what to compare and replace at its end."""

    original: Call
    ported: Call
    inputs: Sequence[LeafPair]
    outputs: Sequence[LeafPair]


def plans_for(original: Trace, ported: Trace, alignment: Alignment) -> dict[Key, Plan]:
    """What to feed to every aligned call, in the order in which the ported ones returned."""
    return {
        other.key: Plan(
            one,
            other,
            _alike(pair_leaves(original, one.inputs, ported, other.inputs, alignment.layouts), other, alignment),
            pair_leaves(
                original,
                one.outputs,
                ported,
                other.outputs,
                alignment.layouts,
                alignment.results if other.parent is None else (),
            ),
        )
        for one, other in alignment.calls(original, ported)
    }


def _alike(pairs: Sequence[LeafPair], call: Call, alignment: Alignment) -> Sequence[LeafPair]:
    return [pair for pair in pairs if (call.path, pair.ported.name) not in alignment.apart]


class Feeder(CallTracker):
    """Feeds the original's tensors in and puts them in the place of the outputs.

    A tensor that a call was given stays with its caller, too, who may go on with it. So it becomes the original's
    there as well, and what a call writes into its arguments is written into the caller's, unless `callers_too` is off.
    """

    callers_too: ClassVar[bool] = True

    def __init__(self, model: torch.nn.Module, original: Trace, plans: Mapping[Key, Plan]) -> None:
        super().__init__(model)
        self.original = original
        self.plans = plans
        self._memory = Memory(model)
        self._lent: dict[int, list[Loan]] = {}

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Look at a ported tensor before it is replaced."""

    def arrived(self, call: OpenCall, fed: set[int], leaves: Sequence[tuple[str, Any]]) -> None:
        """Look at all the arguments of a call, aligned or not, after ``fed`` of them were replaced."""

    def corrected(self, call: OpenCall, tensor: torch.Tensor) -> None:
        """A tensor of the caller was made the original's in place."""

    def written(self, call: OpenCall, tensor: torch.Tensor, source: torch.Tensor) -> None:
        """A tensor of the caller became what ``call`` wrote into its argument."""

    def replaced(self, call: OpenCall, tensors: Sequence[torch.Tensor]) -> None:
        """Look at the original's tensors before they take the place of what a call returned."""

    def returned(self, call: OpenCall, output: Any) -> None:
        """Look at what a call returned, before any of it is replaced."""

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Replace the arguments that the original recorded."""
        plan = self.plans.get(call.key)
        _, leaves = flatten(self.arguments(call, args, kwargs))
        exchange = self._exchange(call, plan, "input", plan.inputs, leaves) if plan else {}
        if exchange and self.callers_too:
            self._lend(call, [leaf for _, leaf in leaves if id(leaf) in exchange], exchange)
        fed = {id(tensor) for tensor in exchange.values()}
        new = (substituted(args, exchange), substituted(kwargs, exchange)) if exchange else (args, kwargs)
        if exchange:
            _, leaves = flatten(self.arguments(call, *new))
        self.arrived(call, fed, leaves)
        return new if exchange else None

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Replace the outputs that the original recorded."""
        plan = self.plans.get(call.key)
        self.returned(call, output)
        exchange = self._exchange(call, plan, "output", plan.outputs, flatten(output)[1]) if plan else {}
        self.replaced(call, list(exchange.values()))
        for loan in self._lent.pop(call.index, ()):
            if loan.changed and self._memory.writable(loan.own):
                source = exchange.get(id(loan.fed), loan.fed)
                loan.own.copy_(source)
                self.written(call, loan.own, source)
        return substituted(output, exchange) if exchange else None

    def _lend(self, call: OpenCall, own: Sequence[torch.Tensor], exchange: Mapping[int, torch.Tensor]) -> None:
        """Make the caller's tensors the original's, and remember what was given in their place."""
        for tensor in own:
            fed = exchange[id(tensor)]
            if call.parent is not None and tensor.is_floating_point() and self._memory.writable(tensor, anew=True):
                tensor.copy_(fed)
                self.corrected(call, tensor)
        self._lent[call.index] = [Loan.of(tensor, exchange[id(tensor)]) for tensor in own]

    def _exchange(
        self,
        call: OpenCall,
        plan: Plan,
        where: str,
        pairs: Sequence[LeafPair],
        leaves: Sequence[tuple[str, Any]],
    ) -> dict[int, torch.Tensor]:
        live = dict(leaves)
        found: dict[int, torch.Tensor] = {}
        for pair in pairs:
            tensor = live.get(pair.ported.name)
            if isinstance(tensor, torch.Tensor) and tuple(tensor.shape) == pair.layout.shape:
                self.observe(call, plan, where, pair, tensor)
                found[id(tensor)] = pair.layout.feed(self.original.tensor(pair.original), tensor)
                self._memory.give(found[id(tensor)])
        return found


class PromotedFeeder(Feeder):
    """A feeder for a run in float64: its own work is not promoted, so that recorded tensors stay as they are."""

    def __init__(
        self, model: torch.nn.Module, original: Trace, plans: Mapping[Key, Plan], promotion: Promotion
    ) -> None:
        super().__init__(model, original, plans)
        self.promotion = promotion

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Replace the arguments."""
        with self.promotion.paused():
            return super().entering(call, args, kwargs)

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Replace the outputs."""
        with self.promotion.paused():
            return super().leaving(call, output)


def substituted(value: Any, by_id: Mapping[int, torch.Tensor]) -> Any:
    """``value`` with every tensor whose ``id`` is in ``by_id`` exchanged.

    Tuples, lists, deques, mappings (``ModelOutput`` among them), named tuples and dataclasses are copied; other
    objects, such as caches, are left alone: they hold state that the run goes on to use.
    """
    if isinstance(value, torch.Tensor):
        return by_id.get(id(value), value)
    if isinstance(value, Mapping):
        return _mapping(value, by_id)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(substituted(item, by_id) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)([substituted(item, by_id) for item in value])
    if isinstance(value, deque):
        return deque((substituted(item, by_id) for item in value), value.maxlen)
    if is_dataclass(value) and not isinstance(value, type):
        changed = copy.copy(value)
        for field in fields(value):
            if hasattr(value, field.name):
                object.__setattr__(changed, field.name, substituted(getattr(value, field.name), by_id))
        return changed
    return value


def _mapping(value: Mapping[Any, Any], by_id: Mapping[int, torch.Tensor]) -> Mapping[Any, Any]:
    items = {key: substituted(value[key], by_id) for key in value}
    if type(value) is dict:
        return items
    changed = copy.copy(value)
    for key, item in items.items():
        changed[key] = item  # type: ignore[index]
    return changed
