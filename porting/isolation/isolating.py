"""Isolation: one run of the port in which every aligned module is fed the original's own inputs.

Each module's output is compared with the original's and then replaced by it, so that every module is judged on its
own. What arrives at a module is compared, too, before it is replaced: that is how a fault in the code between two
healthy modules (glue) is seen. A second run in float64 measures how much of each difference is rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from porting.alignment import Alignment
from porting.comparison import Positions
from porting.isolation.exactly import ExactFed
from porting.isolation.observing import Fed, Observation, Seen
from porting.isolation.origin import Origin, Sighting
from porting.noise.floor import FACTOR, Floor, least_wrong
from porting.progress import Progress, silent
from porting.reruns.feeding import Key, Place, plans_for
from porting.reruns.precision import in_float64, to_float64
from porting.reruns.rerunning import stopped
from porting.runs import Inputs, Run
from porting.tolerance import Tolerance
from porting.trace import Trace


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
    native = Fed(model, original, plans, tolerance, Positions.of(ported), progress)
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


def _settled(places: Sequence[Seen], known: Isolation, tolerance: Tolerance) -> dict[Place, Floor]:
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
