"""Isolation: one run of the port in which every aligned module is fed the original's own inputs.

Each module's output is compared with the original's and then replaced by it, so that every module is judged on its
own. What arrives at a module is compared, too, before it is replaced: that is how a fault in the code between two
healthy modules (glue) is seen. A second run in float64 measures how much of each difference is rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.alignment import Alignment
from porting.comparison import LeafPair, TensorComparison, compare_tensors, pair_leaves, position_mask
from porting.feeding import substituted
from porting.hooks import Run
from porting.noise import Floor, floor_of
from porting.portfile import Inputs, Tolerance
from porting.precision import Promotion, in_float64, to_float64
from porting.preserving import preserved, seed_everything
from porting.progress import Progress, silent
from porting.trace import Call, Trace, flatten
from porting.tracking import CallTracker, OpenCall

Key = tuple[int, str, int]


@dataclass(frozen=True, slots=True)
class Observation:
    """One place judged on its own.

    Attributes:
        where: ``input`` for what arrives at a module, ``output`` for what it makes of the original's inputs.
        original: the original call.
        ported: the ported call.
        leaf: name of the argument or output in the port.
        numbers: the port's tensor against the original's.
        floor: what rounding alone explains here.
        blamed: path of the deepest ported module in which the difference arises; None for an argument that came
            from outside the model.
    """

    where: str
    original: Call
    ported: Call
    leaf: str
    numbers: TensorComparison
    floor: Floor
    blamed: str | None

    @property
    def above_noise(self) -> bool:
        """Whether the difference is more than rounding."""
        return self.floor.exceeded_by(self.numbers)


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a reference-fed run showed.

    Attributes:
        observations: in the order in which they were made.
        unfed: (label of the ported call, argument) of tensors for which the original has no counterpart, so that the
            port's own were used.
        noise_measured: False if the port could not run in float64 and rounding was estimated instead.
    """

    observations: tuple[Observation, ...]
    unfed: tuple[tuple[str, str], ...]
    noise_measured: bool

    def of_call(self, key: Key) -> Iterator[Observation]:
        """The observations at the output of one ported call."""
        return (o for o in self.observations if o.ported.key == key and o.where == "output")


def isolate(
    model: torch.nn.Module,
    inputs: Inputs,
    original: Trace,
    ported: Trace,
    alignment: Alignment,
    *,
    run: Run | None = None,
    tolerance: Tolerance | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Isolation:
    """Judge every aligned module of the port by itself.

    Args:
        model: the live port; left as it was found.
        inputs: what it runs on.
        original: the original's trace, live or recorded.
        ported: the port's trace, from a free run.
        alignment: between the two traces.
        run: how to run the port, when that is not ``model(*args, **kwargs)``.
        tolerance: of the comparisons; 1e-3 if None.
        seed: of the random generators, as in the free run.
        progress: called as module calls complete.
    """
    tolerance = tolerance or Tolerance()
    plans = {
        other.key: Plan(
            one,
            other,
            pair_leaves(original, one.inputs, ported, other.inputs),
            pair_leaves(original, one.outputs, ported, other.outputs),
        )
        for one, other in alignment.calls(original, ported)
    }
    native = _Fed(model, original, plans, tolerance, ported.valid_positions(), progress)
    _run(model, inputs, run, native, seed)
    with in_float64(model) as promotion:
        exact = _ExactFed(model, original, plans, native.kept(), native.valid, promotion)
        measured = _succeeds(model, Inputs(*to_float64((inputs.args, dict(inputs.kwargs)))), run, exact, seed)
    observations = tuple(
        seen.judged(exact.errors.get(seen.place) if measured else None, tolerance, model) for seen in native.seen
    )
    return Isolation(observations, tuple(native.unfed), measured)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to feed to an aligned ported call, and what to compare and replace at its end."""

    original: Call
    ported: Call
    inputs: Sequence[LeafPair]
    outputs: Sequence[LeafPair]


Place = tuple[Key, str, str]


@dataclass(frozen=True, slots=True)
class _Seen:
    """An observation before its noise floor is known; ``tensor`` is kept only where it differs."""

    place: Place
    plan: Plan
    numbers: TensorComparison
    blamed: str | None
    tensor: torch.Tensor | None

    def judged(
        self, rounding: tuple[float, float] | None, tolerance: Tolerance, model: torch.nn.Module
    ) -> Observation:
        key, where, leaf = self.place
        exact = where == "output" and isinstance(model.get_submodule(key[1]), torch.nn.Embedding)
        floor = floor_of(self.numbers, rounding, tolerance, exact=exact)
        return Observation(where, self.plan.original, self.plan.ported, leaf, self.numbers, floor, self.blamed)


class _Feeder(CallTracker):
    """Feeds the original's tensors in and puts them in the place of the outputs."""

    def __init__(self, model: torch.nn.Module, original: Trace, plans: Mapping[Key, Plan]) -> None:
        super().__init__(model)
        self.original = original
        self.plans = plans

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Look at a ported tensor before it is replaced."""

    def arrived(self, call: OpenCall, fed: set[int], leaves: Sequence[tuple[str, Any]]) -> None:
        """Look at all the arguments of a call, aligned or not, after ``fed`` of them were replaced."""

    def returned(self, call: OpenCall, output: Any) -> None:
        """Look at what a call without a counterpart returned."""

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Replace the arguments that the original recorded."""
        plan = self.plans.get(call.key)
        _, leaves = flatten(self.arguments(call, args, kwargs))
        exchange = self._exchange(call, plan, "input", plan.inputs, leaves) if plan else {}
        fed = {id(tensor) for tensor in exchange.values()}
        new = (substituted(args, exchange), substituted(kwargs, exchange)) if exchange else (args, kwargs)
        if exchange:
            _, leaves = flatten(self.arguments(call, *new))
        self.arrived(call, fed, leaves)
        return new if exchange else None

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Replace the outputs that the original recorded."""
        plan = self.plans.get(call.key)
        if plan is None:
            self.returned(call, output)
            return None
        exchange = self._exchange(call, plan, "output", plan.outputs, flatten(output)[1])
        return substituted(output, exchange) if exchange else None

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
        return found


class _Fed(_Feeder):
    """The run in the port's own precision: compares, and finds out where each difference arises."""

    def __init__(
        self,
        model: torch.nn.Module,
        original: Trace,
        plans: Mapping[Key, Plan],
        tolerance: Tolerance,
        valid: torch.Tensor | None,
        progress: Progress,
    ) -> None:
        super().__init__(model, original, plans)
        self.tolerance = tolerance
        self.valid = valid
        self.progress = progress
        self.seen: list[_Seen] = []
        self.unfed: list[tuple[str, str]] = []
        self._origin = _Origin()

    def kept(self) -> dict[Place, torch.Tensor]:
        """The ported tensors that differ, by place."""
        return {seen.place: seen.tensor for seen in self.seen if seen.tensor is not None}

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Compare with the original's tensor."""
        reference = pair.layout.apply(self.original.tensor(pair.original))
        valid = position_mask(tuple(tensor.shape), self.valid)
        numbers = compare_tensors(reference, pair.layout.view(tensor), self.tolerance, valid)
        differs = numbers.max_abs != 0
        enclosing = call.parent if where == "input" else call
        blamed = self._origin.of(tensor, enclosing) if differs else call.path
        kept = tensor.detach().clone() if differs else None
        self.seen.append(_Seen((call.key, where, pair.ported.name), plan, numbers, blamed, kept))

    def arrived(self, call: OpenCall, fed: set[int], leaves: Sequence[tuple[str, Any]]) -> None:
        """Note what was fed and, for aligned calls, which tensors could not be."""
        tensors = [(name, leaf) for name, leaf in leaves if isinstance(leaf, torch.Tensor)]
        plan = self.plans.get(call.key)
        self._origin.enter(call, [tensor for _, tensor in tensors], fed, aligned=plan is not None)
        if plan is not None:
            self.unfed += [(plan.ported.label, name) for name, tensor in tensors if id(tensor) not in fed]

    def returned(self, call: OpenCall, output: Any) -> None:
        """Note which call made a tensor."""
        self._origin.made(call, [leaf for _, leaf in flatten(output)[1] if isinstance(leaf, torch.Tensor)])

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Replace the outputs; those of an aligned call are beyond doubt from here on."""
        replaced = super().leaving(call, output)
        if call.key in self.plans:
            final = output if replaced is None else replaced
            self._origin.trust(leaf for _, leaf in flatten(final)[1] if isinstance(leaf, torch.Tensor))
        self.progress("isolating", len(self.seen), 2 * len(self.plans))
        return replaced


class _Origin:
    """Where a tensor comes from: the identity of tensors followed from call to call."""

    def __init__(self) -> None:
        self._alive: list[torch.Tensor] = []  # an identity must not be used again
        self._trusted: set[int] = set()
        self._maker: dict[int, OpenCall] = {}
        self._received: dict[int, list[torch.Tensor]] = {}
        self._aligned: set[int] = set()
        self._fed: dict[int, set[int]] = {}

    def enter(self, call: OpenCall, tensors: list[torch.Tensor], fed: set[int], *, aligned: bool) -> None:
        """A call was entered with these arguments."""
        self._alive += tensors
        self._received[call.index] = tensors
        self._fed[call.index] = fed
        if call.parent is None:
            self.trust(tensors)
        if aligned:
            self._aligned.add(call.index)
        self._trusted |= fed

    def made(self, call: OpenCall, tensors: list[torch.Tensor]) -> None:
        """A call without a counterpart returned these; those that it was given are not its making."""
        self._alive += tensors
        given = {id(tensor) for tensor in self._received[call.index]}
        for tensor in tensors:
            if id(tensor) not in given:
                self._maker.setdefault(id(tensor), call)

    def trust(self, tensors: Any) -> None:
        """These are the original's own, or made from nothing but them by an aligned module."""
        for tensor in tensors:
            self._alive.append(tensor)
            self._trusted.add(id(tensor))

    def of(self, tensor: torch.Tensor, enclosing: OpenCall | None) -> str | None:
        """The deepest module in which a wrong tensor arises, met while ``enclosing`` runs; None: outside the model."""
        maker = self._maker.get(id(tensor))
        if maker is not None:
            doubtful = [given for given in self._received[maker.index] if id(given) not in self._trusted]
            return self.of(doubtful[0], maker.parent) if doubtful else maker.path
        while enclosing is not None and self._came_from_above(tensor, enclosing):
            enclosing = enclosing.parent
        return None if enclosing is None else enclosing.path

    def _came_from_above(self, tensor: torch.Tensor, call: OpenCall) -> bool:
        """Whether the call was handed the tensor, or something in doubt that it may have made it from."""
        received = self._received[call.index]
        if any(given is tensor for given in received) and id(tensor) not in self._fed[call.index]:
            return True
        return call.index not in self._aligned and any(id(given) not in self._trusted for given in received)


class _ExactFed(_Feeder):
    """The run in float64: measures the rounding of the native run at the places where it differs."""

    def __init__(
        self,
        model: torch.nn.Module,
        original: Trace,
        plans: Mapping[Key, Plan],
        kept: Mapping[Place, torch.Tensor],
        valid: torch.Tensor | None,
        promotion: Promotion,
    ) -> None:
        super().__init__(model, original, plans)
        self.kept = kept
        self.valid = valid
        self.promotion = promotion
        self.errors: dict[Place, tuple[float, float]] = {}

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Replace the arguments; the original's tensors are read as they are."""
        with self.promotion.paused():
            return super().entering(call, args, kwargs)

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Replace the outputs."""
        with self.promotion.paused():
            return super().leaving(call, output)

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Measure how far the native result is from this one: largest and L2 difference."""
        place = (call.key, where, pair.ported.name)
        if place in self.kept and self.kept[place].shape == tensor.shape:
            mask = position_mask(tuple(tensor.shape), self.valid)
            numbers = compare_tensors(tensor, self.kept[place], Tolerance(), mask)
            self.errors[place] = (numbers.max_abs, numbers.l2)


def _run(model: torch.nn.Module, inputs: Inputs, run: Run | None, tracker: CallTracker, seed: int) -> None:
    inputs = inputs.fresh()
    with preserved(model), torch.no_grad():
        seed_everything(seed)
        with tracker.hooked():
            if run:
                run(model, inputs)
            else:
                model(*inputs.args, **inputs.kwargs)


def _succeeds(model: torch.nn.Module, inputs: Inputs, run: Run | None, tracker: CallTracker, seed: int) -> bool:
    """Run; False where the model has code that cannot compute in float64, whatever it raises to say so."""
    try:
        _run(model, inputs, run, tracker, seed)
    except Exception:
        return False
    return True
