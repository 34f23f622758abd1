"""What a verdict does not rest on: what ran and was not compared, and what was not seen at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from porting.comparison import Comparison
from porting.isolation.isolating import Isolation
from porting.text import show
from porting.trace import Trace


def uncovered_parameters(comparison: Comparison, ported: Trace) -> tuple[str, ...]:
    """Parameters of executed ported modules without a compared call at or above them."""
    compared = {call.ported.index for call in comparison.calls if call.compared}
    covered: set[int] = set()
    for call in ported.calls:
        if call.index in compared or call.parent in covered:
            covered.add(call.index)
    paths = {call.path for call in ported.calls if call.index in covered}
    return tuple(
        f"{call.path}.{parameter.name}" if call.path else parameter.name
        for call in ported.first_calls.values()
        if call.path not in paths
        for parameter in ported.modules[call.path].parameters
        if parameter.kind == "parameter"
    )


def judged_equal(isolation: Isolation, ported: Trace) -> frozenset[str]:
    """Paths of the executed ported modules that gave the original's results on the original's own tensors.

    A module that was not judged itself counts with the nearest one around it that was, unless a difference arises in
    it or between the two: what it hands on may be judged elsewhere, and replaced before it gets there.
    """
    judged: dict[str, bool] = {}
    blamed: set[str] = set()
    for observation in isolation.observations:
        if observation.where == "output":
            path = observation.ported.path
            judged[path] = judged.get(path, True) and observation.numbers.comparable and not observation.above_noise
        if observation.above_noise:
            blamed |= {path for path in (observation.blamed, *observation.suspects) if path is not None}
    return frozenset(path for path in ported.first_calls if _is_equal(path, judged, blamed))


def _is_equal(path: str, judged: Mapping[str, bool], blamed: set[str]) -> bool:
    between = []
    for each in _outwards(path):
        between.append(each)
        if each in judged:
            return judged[each] and blamed.isdisjoint(between)
    return False


def _outwards(path: str) -> Iterator[str]:
    """A path, and those of the modules around it up to the model itself."""
    while path:
        yield path
        path = path.rpartition(".")[0]
    yield ""


def coverage_warnings(
    original: Trace, ported: Trace, comparison: Comparison, isolation: Isolation
) -> tuple[tuple[str, str], ...]:
    """Code and message of each gap: modules not compared, not seen, not judged, tensors not recorded."""
    return (
        *_blind(comparison),
        *_unobserved("original", original),
        *_unobserved("ported", ported),
        *_left_out("original", original),
        *_left_out("ported", ported),
        *_isolation(isolation),
    )


def _blind(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """The aligned modules of which nothing could be compared, and why, where the trace says it."""
    if comparison.blind:
        first = comparison.blind[0]
        leaves = (*first.original.outputs.leaves, *first.ported.outputs.leaves)
        reason = next((leaf.type_name for leaf in leaves if leaf.type_name), "their results are of different shapes")
        where = show(first.ported.label or "the model itself")
        text = f"of {len(comparison.blind)} aligned modules nothing could be compared (first: {where}; {show(reason)})"
        yield "modules-not-compared", text


def _unobserved(side: str, trace: Trace) -> Iterator[tuple[str, str]]:
    """Modules with weights that were expected to be called and were not seen."""
    weighty = [path for path in trace.unobserved if _holds_parameters(trace, path)]
    if weighty:
        text = f"{len(weighty)} modules of the {side} model hold weights and were not seen called"
        why = "their forward was called directly, their weights were used without them, or the run did not need them"
        yield "modules-unobserved", f"{text} (first: {show(weighty[0])}): {why}"


def _holds_parameters(trace: Trace, path: str) -> bool:
    return path not in trace.modules or any(
        module.parameters and (module.path == path or module.path.startswith(f"{path}."))
        for module in trace.modules.values()
    )


def _left_out(side: str, trace: Trace) -> Iterator[tuple[str, str]]:
    if trace.left_out and trace.left_out.get("tensors"):
        count = trace.left_out["tensors"]
        yield "left-out", f"of the {side} model {count:,} tensors were left out of the trace, by selection or limit"


def _isolation(isolation: Isolation) -> Iterator[tuple[str, str]]:
    if isolation.stopped:
        text = "fed the original's tensors, the port raised, so the rest was not judged"
        yield "isolation-stopped", f"{text}: {isolation.stopped}"
    if not isolation.noise_measured:
        yield "noise-estimated", "the port cannot compute in float64, so rounding was estimated, not measured"
