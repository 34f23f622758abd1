"""Trials: the scope of a culprit run again on the original's tensors, with a repair in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from porting.comparison import LeafPair, Positions, TensorComparison, compare_tensors
from porting.copying import copied
from porting.diagnosis.scene import Entry, Scene, floor_of_repaired
from porting.hooks.preserving import preserved, seed_everything
from porting.hooks.tracking import OpenCall
from porting.isolation.isolating import Isolation
from porting.noise.floor import Floor
from porting.reruns.feeding import Feeder, Key, Place, Plan
from porting.reruns.rerunning import rerun
from porting.runs import Inputs, Run
from porting.tolerance import Tolerance
from porting.trace import Trace

SAME = 1e-2
"""Relative distance of two figures of one fault under which they are of the same computation."""

Applied = Callable[[], AbstractContextManager[object]]
"""Puts a repair into the live port, for as long as the context lasts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial showed.

    Attributes:
        cleared: the gaps that fell to their noise floor.
        left: the gaps that did not, or were not met again.
        broken: whether a place that was right is now wrong, or the run raised.
        max_abs: largest difference at the gaps that were met.
    """

    cleared: frozenset[Place]
    left: frozenset[Place]
    broken: bool
    max_abs: float

    @property
    def proven(self) -> bool:
        """Whether every gap is closed and nothing else was opened."""
        return bool(self.cleared) and not self.left and not self.broken


class Stage:
    """Where the repairs of one culprit are tried.

    Only the innermost module that holds the culprit and its gaps runs again, on what it was fed. Where that alone
    does not show the same differences, as under an autocast around the model, the whole run is made again.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        inputs: Inputs,
        scene: Scene,
        isolation: Isolation,
        original: Trace,
        ported: Trace,
        plans: Mapping[Key, Plan],
        *,
        run: Run | None,
        seed: int,
        tolerance: Tolerance,
    ) -> None:
        self.model, self.inputs, self.run, self.seed = model, inputs, run, seed
        self.scene = scene
        self.original, self.tolerance = original, tolerance
        below = f"{scene.scope}." if scene.scope else ""
        self.all_plans = dict(plans)
        self.plans = {key: plan for key, plan in plans.items() if key[1] == scene.scope or key[1].startswith(below)}
        self.positions = Positions.of(ported)
        self.floors = {(o.ported.key, o.where, o.leaf): floor_of_repaired(o) for o in isolation.observations}
        self.wrong_before = {(o.ported.key, o.where, o.leaf) for o in isolation.observations if o.above_noise}
        self.alone = bool(scene.entries) and self._same_gaps()

    def tried(
        self, apply: Applied, follows: Mapping[str, str | None] | None = None, *, whole: bool = False
    ) -> Outcome:
        """Run with a repair in place, and take it out again.

        Args:
            apply: puts the repair in.
            follows: the ported module whose counterpart a module has with it, None for no counterpart.
            whole: run the whole model, and judge every place of it.
        """
        plans = self.all_plans if whole else self.plans
        try:
            with apply():
                judge = self._ran(plans, follows or {}, alone=self.alone and not whole)
        except Exception:
            return Outcome(frozenset(), self.scene.places, broken=True, max_abs=float("inf"))
        return self._outcome(judge)

    def _same_gaps(self) -> bool:
        """Whether the scope alone, with nothing repaired, goes wrong as the whole run did."""
        try:
            seen = self._ran(self.plans, {}, alone=True).numbers
        except Exception:
            return False
        return all(
            gap.place in seen and math.isclose(seen[gap.place].max_abs, gap.observation.numbers.max_abs, rel_tol=SAME)
            for gap in self.scene.gaps
        )

    def _ran(self, plans: Mapping[Key, Plan], follows: Mapping[str, str | None], *, alone: bool) -> _Judge:
        judge = _Judge(self.model, self.original, plans, self.floors, self.positions, self.tolerance, follows)
        if not alone:
            rerun(self.model, self.inputs, self.run, judge, self.seed)
            return judge
        scope = self.model.get_submodule(self.scene.scope)
        with preserved(scope), torch.no_grad(), judge.hooked(below=scope):
            seed_everything(self.seed)
            for entry in self.scene.entries:
                judge.resume(entry.step, entry.repeats)
                _call(scope, entry)
        return judge

    def _outcome(self, judge: _Judge) -> Outcome:
        seen = {place: numbers for place, numbers in judge.numbers.items() if place in self.scene.places}
        cleared = frozenset(p for p, numbers in seen.items() if not self.floors[p].exceeded_by(numbers))
        opened = any(
            self.floors[place].exceeded_by(numbers)
            for place, numbers in judge.numbers.items()
            if place not in self.wrong_before
        )
        largest = max((numbers.max_abs for numbers in seen.values()), default=float("inf"))
        return Outcome(cleared, self.scene.places - cleared, opened, largest)


def _moved(key: Key, follows: Mapping[str, str | None]) -> Key | None:
    """The ported call whose place in the original another takes; None for one that has none then."""
    step, path, repeat = key
    name = next((each for each in follows if path == each or path.startswith(f"{each}.")), None)
    if name is None:
        return key
    other = follows[name]
    return None if other is None else (step, other + path[len(name) :], repeat)


def _following(plans: Mapping[Key, Plan], follows: Mapping[str, str | None]) -> dict[Key, Plan]:
    """The plans by the calls that have them with a repair in place."""
    found = {key: plan for key, plan in plans.items() if _moved(key, follows) == key}
    for name, other in follows.items():
        for (step, path, repeat), plan in plans.items():
            if other is not None and (path == other or path.startswith(f"{other}.")):
                found[step, name + path[len(other) :], repeat] = plan
    return found


def _call(scope: torch.nn.Module, entry: Entry) -> None:
    args, kwargs = copied((entry.args, entry.kwargs), torch.Tensor.clone)
    scope(*args, **kwargs)


class _Judge(Feeder):
    """Feeds as isolation does, and compares at the places whose floors are known."""

    def __init__(
        self,
        model: torch.nn.Module,
        original: Trace,
        plans: Mapping[Key, Plan],
        floors: Mapping[Place, Floor],
        positions: Positions,
        tolerance: Tolerance,
        follows: Mapping[str, str | None],
    ) -> None:
        super().__init__(model, original, _following(plans, follows) if follows else plans)
        self.follows = follows
        self.floors, self.positions, self.tolerance = floors, positions, tolerance
        self.numbers: dict[Place, TensorComparison] = {}

    def observe(self, call: OpenCall, plan: Plan, where: str, pair: LeafPair, tensor: torch.Tensor) -> None:
        """Compare with the original's tensor."""
        key = _moved(call.key, self.follows)
        if key is not None and (place := (key, where, pair.ported.name)) in self.floors:
            reference = pair.layout.apply(self.original.tensor(pair.original))
            seen = pair.layout.view(tensor)
            self.numbers[place] = compare_tensors(
                reference, seen, self.tolerance, self.positions.mask(seen, *place[::2])
            )
