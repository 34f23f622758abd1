"""The reference-fed run: every place observed, and where its tensors come from kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.comparison import LeafPair, Positions, TensorComparison, compare_tensors
from porting.hooks.tracking import OpenCall
from porting.isolation.dataflow import Dataflow
from porting.isolation.origin import Origin, Sighting
from porting.noise.floor import Floor, floor_of
from porting.noise.lowered import computes_low, is_low, narrowed
from porting.progress import Progress
from porting.reruns.feeding import Feeder, Key, Place, Plan
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
class Seen:
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
        run: Fed,
    ) -> Observation:
        """What was seen, judged by the rounding that was measured here; a look-up has none."""
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


class Fed(Feeder):
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
        self.seen: list[Seen] = []
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
        self.seen.append(Seen((call.key, where, pair.ported.name), plan, numbers, sighting, kept, rounding))

    def unproven(self) -> tuple[tuple[str, str], ...]:
        """(call, argument) of what could not be fed and was not found to be right in another way."""
        return tuple((label, name) for label, name, node in self._unfed if self.origin.doubtful(node))

    def looks_up(self, seen: Seen) -> bool:
        """Whether a module copies rows and is of a kind of which the original's must do the same."""
        return isinstance(self.model.get_submodule(seen.place[0][1]), torch.nn.Embedding)

    def only_moves(self, seen: Seen) -> bool:
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
            self._free[call.path].update(self.origin.handed_out(call, _tensors(output)))

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
