"""What is known at a culprit: its calls on the original's own tensors, and the places at which it goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import torch

from porting.comparison import LeafPair, Positions
from porting.comparison.masks import CLOSED
from porting.copying import copied
from porting.diagnosis.culprits import Culprit
from porting.hooks.recordable import why_not_recordable
from porting.hooks.tracking import OpenCall
from porting.isolation.isolating import Isolation
from porting.isolation.observing import Observation
from porting.noise.floor import Floor, floor_of
from porting.reruns.feeding import Feeder, Key, Place, Plan
from porting.reruns.rerunning import stopped
from porting.runs import Inputs, Run
from porting.tolerance import Tolerance
from porting.trace import Call, Trace, flatten

MOST_CALLS = 4
"""Calls of one culprit that are looked at: a module of a loop goes wrong in the same way every time."""


@dataclass(slots=True)
class Moment:
    """One call of a ported module on the original's tensors.

    Attributes:
        key: step, path and call index.
        module: the live module.
        original: the aligned original call, if there is one.
        args: positional arguments as they were fed.
        kwargs: keyword arguments as they were fed.
        arguments: both by parameter name.
        output: what the module made of them.
        result: what the run went on with: the original's tensors where there are such.
        children: the calls made directly from it, in order; only those of culprits and of what has no counterpart are
            known.
    """

    key: Key
    module: torch.nn.Module
    original: Call | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    arguments: dict[str, Any]
    output: Any = None
    result: Any = None
    children: list[Moment] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The module's path."""
        return self.key[1]

    def received(self) -> dict[str, torch.Tensor]:
        """The tensors among the arguments, by leaf name."""
        return _tensors(self.arguments)

    def made(self) -> dict[str, torch.Tensor]:
        """The tensors that the run went on with, by leaf name."""
        return _tensors(self.result)


@dataclass(frozen=True, slots=True)
class Gap:
    """One place at which a culprit goes wrong.

    Attributes:
        place: call, ``input`` or ``output``, and the name of the argument or output there.
        observation: the figures of it.
        wrong: the port's tensor.
        right: the original's, in the port's layout.
        valid: bool, of the same shape: what counts; None: everything.
    """

    place: Place
    observation: Observation
    wrong: torch.Tensor
    right: torch.Tensor
    valid: torch.Tensor | None

    @property
    def path(self) -> str:
        """The module at whose border the difference shows."""
        return self.place[0][1]

    @property
    def where(self) -> str:
        """``input`` or ``output``."""
        return self.place[1]

    @property
    def leaf(self) -> str:
        """Name of the argument or output."""
        return self.place[2]

    @property
    def floor(self) -> Floor:
        """What rounding explains there, once it is repaired."""
        return floor_of_repaired(self.observation)


@dataclass(frozen=True, slots=True)
class Entry:
    """How a call of the scope begins: enough to make it again without the rest of the model."""

    step: int
    repeats: Mapping[str, int]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(slots=True)
class Scene:
    """A culprit with its calls and gaps.

    Attributes:
        culprit: whose scene it is.
        scope: path of the innermost module that holds the culprit and all its gaps: what a trial runs again.
        places: of the gaps.
        moments: the culprit's calls.
        gaps: in the order in which they were met.
        entries: the calls of the scope.
    """

    culprit: Culprit
    scope: str
    places: frozenset[Place]
    moments: list[Moment] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


def scenes_of(
    model: torch.nn.Module,
    inputs: Inputs,
    culprits: Sequence[Culprit],
    isolation: Isolation,
    original: Trace,
    ported: Trace,
    plans: Mapping[Key, Plan],
    *,
    run: Run | None,
    seed: int,
) -> list[Scene]:
    """Run the port once more on the original's tensors, and keep what is known at each culprit."""
    scenes = [_scene(culprit, isolation, ported) for culprit in culprits]
    watcher = _Watcher(model, original, plans, scenes, isolation, Positions.of(ported))
    stopped(model, inputs, run, watcher, seed)
    return scenes


def floor_of_repaired(observation: Observation) -> Floor:
    """The floor at a place that is wrong, for what a repair makes of it.

    A module that only moves elements has a floor of zero; what takes its place may compute, and rounds.
    """
    if observation.floor.max_abs or not observation.above_noise:
        return observation.floor
    return floor_of(observation.numbers, None, Tolerance(), exact=False)


def blamed_path(observation: Observation) -> str:
    """The culprit that an observation speaks of."""
    return observation.ported.path if observation.blamed is None else observation.blamed


def _scene(culprit: Culprit, isolation: Isolation, ported: Trace) -> Scene:
    seen = [o for o in isolation.observations if o.above_noise and blamed_path(o) == culprit.ported]
    calls = list(dict.fromkeys(o.ported.key for o in seen))[:MOST_CALLS]
    seen = [o for o in seen if o.ported.key in calls]
    chains = [_chain(ported, _border(ported, observation)) for observation in seen]
    chains += [_chain(ported, call) for call in ported.calls if call.path == culprit.ported][:1]
    common = set(chains[0]).intersection(*chains[1:])
    scope = next((path for path in chains[0] if path in common), "")
    return Scene(culprit, scope, frozenset((o.ported.key, o.where, o.leaf) for o in seen))


def _border(ported: Trace, observation: Observation) -> Call:
    """The innermost call that must run again for an observation to be made again."""
    call = observation.ported
    return (ported.parent_of(call) or call) if observation.where == "input" else call


def _chain(ported: Trace, call: Call | None) -> list[str]:
    """The paths of a call and of those that it was made from, innermost first."""
    chain = []
    while call is not None:
        chain.append(call.path)
        call = ported.parent_of(call)
    return chain


class _Watcher(Feeder):
    """Keeps the calls of the culprits and of their children, the gaps, and how each scope was entered."""

    def __init__(
        self,
        model: torch.nn.Module,
        original: Trace,
        plans: Mapping[Key, Plan],
        scenes: Sequence[Scene],
        isolation: Isolation,
        positions: Positions,
    ) -> None:
        super().__init__(model, original, plans)
        self.scenes = scenes
        self.positions = positions
        self.observations = {(o.ported.key, o.where, o.leaf): o for o in isolation.observations}
        self._moments: dict[int, Moment] = {}

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Feed, and keep what the call was fed with."""
        new = super().entering(call, args, kwargs)
        args, kwargs = (args, kwargs) if new is None else new
        for scene in self.scenes:
            if call.path == scene.scope and len(scene.entries) < MOST_CALLS:
                before = self.repeats()
                before[call.path] -= 1
                scene.entries.append(Entry(call.step, before, *_kept((args, kwargs))))
        if self._is_watched(call):
            args, kwargs = _kept((args, kwargs))
            plan = self.plans.get(call.key)
            arguments = self.arguments(call, args, kwargs)
            moment = Moment(call.key, call.module, plan.original if plan else None, args, kwargs, arguments)
            self._moments[call.index] = moment
            if call.parent is not None and call.parent.index in self._moments:
                self._moments[call.parent.index].children.append(moment)
            for scene in self._scenes_at(call.path):
                if len(scene.moments) < MOST_CALLS:
                    scene.moments.append(moment)
        return new

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """Replace, and keep both results."""
        moment = self._moments.get(call.index)
        if moment is not None:
            moment.output = _kept(output)
        replaced = super().leaving(call, output)
        if moment is not None:
            moment.result = moment.output if replaced is None else _kept(replaced)
        return replaced

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Keep both tensors of a gap."""
        place = (call.key, where, pair.ported.name)
        for scene in self.scenes:
            if place in scene.places:
                scene.gaps.append(self._gap(place, pair, tensor.detach()))

    def _gap(self, place: Place, pair: LeafPair, tensor: torch.Tensor) -> Gap:
        """Both tensors as they are compared; of biases as they are, without what both close."""
        original = self.original.tensor(pair.original)
        valid = self.positions.mask(tensor, *place[::2])
        if pair.layout.kind != "bias":
            wrong, right = pair.layout.view(tensor).clone(), pair.layout.apply(original).clone()
            return Gap(place, self.observations[place], wrong, right, valid)
        right = original.expand(pair.layout.shape).clone()
        counted = ~((tensor < CLOSED) & (right.to(tensor.device) < CLOSED))
        return Gap(
            place, self.observations[place], tensor.clone(), right, counted if valid is None else counted & valid
        )

    def _is_watched(self, call: OpenCall) -> bool:
        """Whether a call is one of a culprit, or made from one: directly, or by what has no counterpart in between."""
        if any(True for _ in self._scenes_at(call.path)):
            return True
        around = self._moments.get(call.parent.index) if call.parent is not None else None
        return around is not None and (around.original is None or any(True for _ in self._scenes_at(around.path)))

    def _scenes_at(self, path: str) -> Iterator[Scene]:
        return (scene for scene in self.scenes if scene.culprit.ported == path)


def _tensors(value: Any) -> dict[str, torch.Tensor]:
    return {name: leaf.detach() for name, leaf in flatten(value)[1] if isinstance(leaf, torch.Tensor)}


def is_plain(value: Any) -> TypeGuard[torch.Tensor]:
    """Whether something is a tensor with which causes can compute: none on meta, sparse or quantized."""
    return isinstance(value, torch.Tensor) and not why_not_recordable(value)


def _plain(leaves: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, torch.Tensor]]:
    return ((name, leaf) for name, leaf in leaves if is_plain(leaf))


def _kept(value: Any) -> Any:
    return copied(value, lambda tensor: tensor.detach().clone())
