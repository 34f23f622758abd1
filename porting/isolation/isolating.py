"""Isolation: one run of the port in which every aligned module is fed the original's own inputs.

Each module's output is compared with the original's and then replaced by it, so that every module is judged on its
own. What arrives at a module is compared, too, before it is replaced: that is how a fault in the code between two
healthy modules (glue) is seen. A second run in float64 measures how much of each difference is rounding.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from porting.alignment import Alignment
from porting.comparison import LeafPair, Positions, TensorComparison, compare_tensors
from porting.hooks.tracking import OpenCall
from porting.isolation.dataflow import Dataflow
from porting.isolation.exactly import ExactFed
from porting.isolation.origin import Origin, Sighting
from porting.noise.floor import FACTOR, Floor, floor_of, least_wrong
from porting.noise.lowered import computes_low, is_low, narrowed
from porting.progress import Progress, silent
from porting.reruns.feeding import Feeder, Key, Place, Plan, plans_for
from porting.reruns.precision import in_float64, to_float64
from porting.reruns.rerunning import stopped
from porting.runs import Inputs, Run
from porting.tolerance import Tolerance
from porting.trace import Call, Trace, flatten


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
        suspects: paths of all modules in which it may arise, the likeliest first: others than `blamed` where tensors
            that could not be fed took part.
    """

    where: str
    original: Call
    ported: Call
    leaf: str
    numbers: TensorComparison
    floor: Floor
    blamed: str | None
    suspects: tuple[str, ...] = ()

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
            port's own were used, and that nothing proved right: neither were they made from the original's tensors
            and the inputs alone, nor did a right result come of them.
        noise_measured: False if the port could not run in float64 and rounding was estimated instead.
        stopped: what the port raised when it was fed the original's tensors, so that the rest was not judged; empty
            if it ran to its end.
        made_up_for: those of the modules whose outputs were left as they are of which something right came, and
            nothing wrong.
        arguments_made_up_for: the same of arguments, as (ported path, name).
    """

    observations: tuple[Observation, ...]
    unfed: tuple[tuple[str, str], ...]
    noise_measured: bool
    stopped: str = ""
    made_up_for: frozenset[str] = frozenset()
    arguments_made_up_for: frozenset[tuple[str, str]] = frozenset()

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
    free: frozenset[str] = frozenset(),
    loose: frozenset[tuple[str, str]] = frozenset(),
    known: Isolation | None = None,
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
        free: ported modules whose outputs are neither compared nor replaced, to see what becomes of them.
        loose: arguments of ported modules, as (path, name), of which the same holds.
        known: an earlier run, where only the verdict at each place is asked for and not the figures of its floor:
            rounding is then measured only if a verdict hangs on it.
        progress: called as module calls complete.
    """
    tolerance = tolerance or Tolerance()
    plans = {
        key: replace(plan, outputs=()) if key[1] in free else plan
        for key, plan in plans_for(original, ported, alignment.put_apart(loose)).items()
    }
    native = _Fed(model, original, plans, tolerance, Positions.of(ported), progress)
    native.loose = loose
    with native.flow:
        ended = stopped(model, inputs, run, native, seed)
    settled = {} if known is None else _settled(native.seen, known, tolerance)
    if known is not None and all(seen.place in settled for seen in native.seen):
        judged = [(seen.with_floor(settled[seen.place]), seen.sighting) for seen in native.seen]
        outputs, arguments = native.made_up_for(judged)
        observations = _blamed(judged, native.origin, {})
        return Isolation(observations, native.unproven(), known.noise_measured, ended, outputs & free, arguments)
    with in_float64(model) as promotion:
        exact = ExactFed(model, original, plans, native.kept(), native.positions, promotion)
        exactly = Inputs(*to_float64((inputs.args, dict(inputs.kwargs))))
        measured = not stopped(model, exactly, run, exact, seed)
    lowered = {
        seen.place: exact.lowered.get(seen.place)
        for seen in native.seen
        if (seen.place in exact.lowered or seen.narrowed(ported)) and not seen.low_in(original)
    }
    judged = [
        (seen.judged(exact.errors if measured else {}, lowered, tolerance, native), seen.sighting)
        for seen in native.seen
    ]
    outputs, arguments = native.made_up_for(judged)
    observations = _blamed(judged, native.origin, lowered)
    return Isolation(observations, native.unproven(), measured, ended, outputs & free, arguments)


def _settled(places: Sequence[_Seen], known: Isolation, tolerance: Tolerance) -> dict[Place, Floor]:
    """Floors under which each verdict is what it would be with the measured ones, where that can be told.

    That is where nothing differs, where the very same was seen before, and where the difference is past all rounding.
    """
    before = {(o.ported.key, o.where, o.leaf): o for o in known.observations}
    floors = {}
    for seen in places:
        earlier = before.get(seen.place)
        if earlier is not None and earlier.numbers == seen.numbers:
            floors[seen.place] = earlier.floor
        elif not seen.numbers.comparable or seen.numbers.max_abs == 0:
            floors[seen.place] = Floor(0.0, 0.0)
        elif seen.numbers.max_abs > (least := least_wrong(seen.numbers, tolerance)):
            floors[seen.place] = Floor(least / FACTOR, math.inf)
    return floors


def _blamed(
    judged: Sequence[tuple[Observation, Sighting]], origin: Origin, lowered: Mapping[Place, str | None]
) -> tuple[Observation, ...]:
    """The observations with their modules at fault: first all that is right is noted, for it clears what made it.

    ``lowered`` says for some which module's code put what they show under an autocast.
    """
    for observation, sighting in judged:
        if observation.numbers.comparable and not observation.above_noise:
            origin.clear(sighting)
    found = []
    for observation, sighting in judged:
        suspects = origin.suspects(sighting) if observation.above_noise else (observation.ported.path,)
        caster = lowered.get((observation.ported.key, observation.where, observation.leaf))
        suspects = suspects if caster is None or not observation.above_noise else (caster,)
        blamed, others = (suspects[0], suspects) if suspects else (None, ())
        found.append(replace(observation, blamed=blamed, suspects=others))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An observation before its noise floor is known.

    ``tensor`` is kept only where it differs; ``original_rounding`` is what the original's trace says of it.
    """

    place: Place
    plan: Plan
    numbers: TensorComparison
    sighting: Sighting
    tensor: torch.Tensor | None
    original_rounding: tuple[float, float] | None

    def judged(
        self,
        rounding: Mapping[Place, tuple[float, float]],
        lowered: Mapping[Place, str | None],
        tolerance: Tolerance,
        run: _Fed,
    ) -> Observation:
        where = self.place[1]
        low = self.place in lowered
        known = None if low else rounding.get(self.place)
        floor = floor_of(self.numbers, known, tolerance, exact=False, original=self.original_rounding, lowered=low)
        moves = where == "output" and len(set(self.numbers.dtypes)) == 1 and run.only_moves(self)
        if moves and (run.looks_up(self) or not floor.exceeded_by(self.numbers)):
            floor = Floor(0.0, 0.0)
        return self.with_floor(floor)

    def with_floor(self, floor: Floor) -> Observation:
        """What was seen, judged by a floor that is known."""
        _, where, leaf = self.place
        return Observation(where, self.plan.original, self.plan.ported, leaf, self.numbers, floor, None)

    def narrowed(self, ported: Trace) -> bool:
        """Whether the port returned a narrower tensor here than the original, of wider ones."""
        _, where, leaf = self.place
        return where == "output" and narrowed(ported, self.plan.ported, leaf, self.numbers.dtypes[0])

    def low_in(self, original: Trace) -> bool:
        """Whether the original, too, computes here in a lower precision than its tensors have."""
        call = self.plan.original
        if self.place[1] == "input":
            if any(is_low(original, leaf) for leaf in call.inputs.tensor_leaves()):
                return True
            call = original.parent_of(call) or call
        return computes_low(original, call)


class _Fed(Feeder):
    """The run in the port's own precision: compares, and finds out where each difference arises."""

    def __init__(
        self,
        model: torch.nn.Module,
        original: Trace,
        plans: Mapping[Key, Plan],
        tolerance: Tolerance,
        positions: Positions,
        progress: Progress,
    ) -> None:
        super().__init__(model, original, plans)
        self.tolerance = tolerance
        self.positions = positions
        self.progress = progress
        self.seen: list[_Seen] = []
        self.flow = Dataflow(self.open_call)
        self.origin = Origin(model, self.flow)
        self._unfed: list[tuple[str, str, int]] = []
        self.loose: frozenset[tuple[str, str]] = frozenset()
        self._free: dict[str, set[int]] = defaultdict(set)
        self._loose: dict[tuple[str, str], list[set[int]]] = defaultdict(list)

    def kept(self) -> dict[Place, torch.Tensor]:
        """The ported tensors that differ, by place."""
        return {seen.place: seen.tensor for seen in self.seen if seen.tensor is not None}

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Compare with the original's tensor."""
        reference = pair.layout.apply(self.original.tensor(pair.original))
        valid = self.positions.mask(tensor, call.key, pair.ported.name)
        numbers = compare_tensors(reference, pair.layout.view(tensor), self.tolerance, valid)
        kept = tensor.detach().clone() if numbers.max_abs != 0 else None
        rounding = (pair.original.noise or {}).get("float64")
        sighting = self.origin.seen(tensor, call.parent if where == "input" else call)
        self.seen.append(_Seen((call.key, where, pair.ported.name), plan, numbers, sighting, kept, rounding))

    def unproven(self) -> tuple[tuple[str, str], ...]:
        """(call, argument) of what could not be fed and was not found to be right in another way."""
        return tuple((label, name) for label, name, node in self._unfed if self.origin.doubtful(node))

    def looks_up(self, seen: _Seen) -> bool:
        """Whether a module copies rows and is of a kind of which the original's must do the same."""
        return isinstance(self.model.get_submodule(seen.place[0][1]), torch.nn.Embedding)

    def only_moves(self, seen: _Seen) -> bool:
        """Whether a module made its output by moving elements of what it was fed, and has no parts that do more."""
        module = self.model.get_submodule(seen.place[0][1])
        return not any(True for _ in module.children()) and self.origin.moved(seen.sighting)

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Replace the arguments, which is not the model's doing."""
        with self.flow.paused():
            return super().entering(call, args, kwargs)

    def arrived(self, call: OpenCall, fed: set[int], leaves: Sequence[tuple[str, Any]]) -> None:
        """Note what was fed and, for aligned calls, which tensors could not be."""
        tensors = [(name, leaf) for name, leaf in leaves if isinstance(leaf, torch.Tensor)]
        plan = self.plans.get(call.key)
        self.origin.entered(call, [tensor for _, tensor in tensors], fed, aligned=plan is not None)
        for name, tensor in tensors:
            if (call.path, name) in self.loose:
                self._loose[call.path, name].append(set(self.flow.nodes([tensor])))
        if plan is not None:
            self._unfed += [
                (plan.ported.label, name, self.origin.made_by(call, tensor))
                for name, tensor in tensors
                if id(tensor) not in fed
            ]

    def corrected(self, call: OpenCall, tensor: torch.Tensor) -> None:
        """The caller's tensor is beyond doubt from here on."""
        self.origin.renew(tensor, call.parent)

    def written(self, call: OpenCall, tensor: torch.Tensor, source: torch.Tensor) -> None:
        """The caller's tensor is what the call made of it."""
        self.origin.copied(tensor, source, call)

    def made_up_for(
        self, judged: Iterable[tuple[Observation, Sighting]]
    ) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
        """The modules with free outputs of which something right was made, and nothing wrong; the loose arguments."""
        right: set[int] = set()
        wrong: set[int] = set()
        for observation, sighting in judged:
            if observation.above_noise:
                wrong |= self.origin.made_from(sighting)
            elif observation.numbers.comparable:
                right |= self.origin.made_from(sighting)

        def made_up(nodes: set[int]) -> bool:
            return bool(nodes & right) and not nodes & wrong

        outputs = (path for path, nodes in self._free.items() if made_up(nodes))
        arguments = (place for place, calls in self._loose.items() if all(map(made_up, calls)))
        return frozenset(outputs), frozenset(arguments)

    def returned(self, call: OpenCall, output: Any) -> None:
        """Note which call made a tensor."""
        self.origin.made(call, _tensors(output))
        plan = self.plans.get(call.key)
        if plan is not None and not plan.outputs:
            self._free[call.path].update(self.flow.nodes(_tensors(output)))

    def replaced(self, call: OpenCall, tensors: Sequence[torch.Tensor]) -> None:
        """These are the original's."""
        self.origin.trust(tensors, call)

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Replace the outputs, which is not the model's doing either."""
        with self.flow.paused():
            replaced = super().leaving(call, output)
        self.progress("isolating", len(self.seen), 2 * len(self.plans))
        return replaced


def _tensors(value: Any) -> list[torch.Tensor]:
    return [leaf for _, leaf in flatten(value)[1] if isinstance(leaf, torch.Tensor)]
