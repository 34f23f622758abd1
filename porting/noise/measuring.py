"""Measure a model's own noise: how far its results move when it computes the same in another way.

Each kind of noise is a rerun of what a trace recorded, compared with it: in float64, every call on its own recorded
inputs (how much each module rounds); with another number of threads; and each row of the inputs by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from porting.comparison import Positions, TensorComparison
from porting.hooks.holding import GENERATORS, held_items
from porting.hooks.module_tree import walk
from porting.noise.floor import floor_of
from porting.noise.retracing import RESULT, Difference, Repeated, Retraced, SelfFed
from porting.progress import Progress, silent
from porting.reruns.batching import rows_of
from porting.reruns.feeding import Key, Place
from porting.reruns.precision import Promotion, in_float64, to_float64
from porting.reruns.rerunning import raised, rerun
from porting.reruns.threads import threads
from porting.runs import Inputs, Run
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import Trace, Value

MEASURED = "measured"
Differences = Mapping[Place, Difference]


@dataclass(frozen=True, slots=True)
class Noise:
    """What the reruns showed.

    Attributes:
        kinds: by kind, ``measured`` or in words why it could not be.
        differences: by measured kind and place, of every floating-point tensor that could be compared.
    """

    kinds: Mapping[str, str]
    differences: Mapping[str, Differences]

    def at(self, place: Place) -> dict[str, tuple[float, float]] | None:
        """Largest and L2 difference at one place by kind; None if there is none."""
        found = {kind: of[place] for kind, of in self.differences.items() if place in of}
        return {kind: (each.max_abs, each.l2) for kind, each in found.items()} or None

    def noisiest(self, trace: Trace) -> dict[str, dict[str, Any]]:
        """By measured kind, the largest relative L2 difference of a call's output, and that call's label."""
        return {kind: _noisiest(trace, of) for kind, of in self.differences.items()}


def measure_noise(
    model: torch.nn.Module,
    inputs: Inputs,
    trace: Trace,
    *,
    run: Run | None = None,
    wrap: bool = False,
    progress: Progress = silent,
) -> Noise:
    """Rerun a captured model and measure its noise wherever the trace recorded a floating-point tensor.

    Args:
        model: the model that was captured, in the mode in which it was; left as it was found.
        inputs: what it ran on.
        trace: of that run, complete.
        run: how it was run, when that was not ``model(*args, **kwargs)``.
        wrap: whether the capture listened around each module's ``forward``.
        progress: called before each kind.
    """
    session = _Session(model, inputs, trace, run, wrap, Positions.of(trace))
    measures: dict[str, Callable[[_Session], Differences]] = {
        "float64": _isolated_rounding,
        "threads": _other_threads,
        "batch": _row_by_row,
    }
    kinds: dict[str, str] = {}
    differences: dict[str, Differences] = {}
    for number, (kind, measure) in enumerate(measures.items()):
        progress(f"measuring noise: {kind}", number, len(measures))
        try:
            differences[kind] = _known(measure(session))
            kinds[kind] = MEASURED
        except (_UnmeasuredError, RuntimeError, MemoryError) as error:  # float64 may need more memory than there is
            kinds[kind] = show(error, 400)
    return Noise(kinds, differences)


def with_noise(trace: Trace, noise: Noise) -> Trace:
    """The trace with the noise in its leaves, and in ``run`` what was measured and where it is largest."""

    def noisy(value: Value, key: Key, where: str) -> Value:
        leaves = (replace(leaf, noise=noise.at((key, where, leaf.name))) for leaf in value.leaves)
        return replace(value, leaves=tuple(leaves))

    return replace(
        trace,
        calls=tuple(
            replace(
                call,
                inputs=noisy(call.inputs, call.key, "input"),
                outputs=noisy(call.outputs, call.key, "output"),
            )
            for call in trace.calls
        ),
        outputs=noisy(trace.outputs, RESULT, "output"),
        run={**trace.run, "noise": dict(noise.kinds), "noisiest": noise.noisiest(trace)},
    )


class _UnmeasuredError(Exception):
    """Why a kind of noise cannot be measured, in words."""


@dataclass(frozen=True)
class _Session:
    """What is rerun, and what it is compared with."""

    model: torch.nn.Module
    inputs: Inputs
    trace: Trace
    run: Run | None
    wrap: bool
    positions: Positions

    def rerun(self, tracker: SelfFed | Retraced, inputs: Inputs) -> Any:
        """Run once more; what that returned, if it made the calls that were recorded."""
        try:
            seed = self.trace.run.get("seed", 0)
            result = rerun(self.model, inputs, self.run, tracker, seed, wrap=self.wrap)
        except Exception as error:
            raise _UnmeasuredError(f"the rerun raised {raised(error, tracker)}") from error
        recorded = self.trace.by_key.keys()
        added = {key for key in tracker.made - recorded if key[1] in self.trace.first_calls}
        if other := (recorded - tracker.made) | added:
            raise _UnmeasuredError(f"the rerun made other calls, as of {show(min(other)[1]) or 'the model itself'}")
        return result

    @cached_property
    def differing(self) -> tuple[Place, ...]:
        """The places where a second run in the very same way gives other bits, in the order in which calls return."""
        tracker = Repeated(self.model, self.trace, self.positions)
        tracker.finished(self.rerun(tracker, self.inputs))
        return tuple(place for place, difference in tracker.found.items() if difference.max_abs)

    def refuse_unrepeatable(self) -> None:
        """Refuse to take for noise what a model keeps from run to run."""
        called = [self.trace.by_key[place[0]].label for place in self.differing if place[0] != RESULT]
        if self.differing:
            where = f", as of {show(called[0]) or 'the model itself'}" if called else ""
            raise _UnmeasuredError(f"a second run gives other results{where}")

    def refuse_random(self) -> None:
        """Refuse a rerun on other tensors where that draws other random numbers."""
        if self.trace.run.get("random"):
            raise _UnmeasuredError("the run draws random numbers, and this rerun would draw others")
        if any(isinstance(item, GENERATORS) for _, item in held_items(walk(self.model))):
            raise _UnmeasuredError("the model has a random generator, and this rerun would draw other numbers")


def _isolated_rounding(session: _Session) -> Differences:
    """Float64 against what was recorded, every call on its own recorded inputs.

    A place counts only where the same rerun in the model's own precision comes back to what was recorded. Where it
    does not (a call writes into its inputs, and the caller goes on with them), it is not rounding that is seen.
    """
    session.refuse_random()
    control = SelfFed(session.model, session.trace, session.positions, Promotion())
    session.rerun(control, session.inputs)
    with in_float64(session.model) as promotion:
        exact = SelfFed(session.model, session.trace, session.positions, promotion)
        session.rerun(exact, Inputs(*to_float64((session.inputs.args, dict(session.inputs.kwargs)))))
    faithful = {place for place, numbers in control.found.items() if _is_rounding(numbers)}
    return {place: Difference.of(numbers) for place, numbers in exact.found.items() if place in faithful}


def _other_threads(session: _Session) -> Differences:
    """One thread if the capture used more, else two."""
    session.refuse_unrepeatable()
    used = session.trace.run.get("threads", torch.get_num_threads())
    tracker = Retraced(session.model, session.trace, session.positions)
    with threads(1 if used > 1 else 2):
        tracker.finished(session.rerun(tracker, session.inputs))
    return tracker.found


def _row_by_row(session: _Session) -> Differences:
    """Every row of the inputs by itself, each compared with its part of what was recorded."""
    session.refuse_random()
    session.refuse_unrepeatable()
    try:
        rows = rows_of(session.inputs, session.trace.valid_positions())
    except ValueError as error:
        raise _UnmeasuredError(str(error)) from None
    together: dict[Place, Difference] = {}
    for number, inputs in enumerate(rows):
        tracker = Retraced(session.model, session.trace, session.positions, (number, len(rows)))
        tracker.finished(session.rerun(tracker, inputs))
        for place, part in tracker.found.items():
            together[place] = together.get(place, Difference()).with_part(part)
    return together


def _is_rounding(numbers: TensorComparison) -> bool:
    return not floor_of(numbers, None, Tolerance(), exact=False).exceeded_by(numbers)


def _known(differences: Differences) -> Differences:
    found = {place: difference for place, difference in differences.items() if difference.known}
    if not found:
        raise _UnmeasuredError("the rerun gave nothing that could be compared with what was recorded")
    return found


def _noisiest(trace: Trace, differences: Differences) -> dict[str, Any]:
    outputs = [
        (difference.relative_l2, key)
        for (key, where, _), difference in differences.items()
        if where == "output" and key != RESULT
    ]
    largest, key = max(outputs, default=(0.0, RESULT))
    return {"call": trace.by_key[key].label if largest else None, "relative_l2": largest}
