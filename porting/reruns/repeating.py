"""Run a model again and find what is not the same, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

from porting.trace import Call, Trace
from porting.trace.bits import same_bits


def differing_calls(one: Trace, other: Trace) -> tuple[str, ...]:
    """Labels of the calls that did not give the same bits in a second run, in the order in which they returned.

    Args:
        one: a trace.
        other: of the same model on the same inputs.
    """
    return tuple(_differing(one, other))


def _differing(one: Trace, other: Trace) -> Iterator[str]:
    for call in one.completed:
        twin = other.by_key.get(call.key)
        if twin is None or not _same(one, call, other, twin):
            yield call.label
    yield from (call.label for call in other.completed if call.key not in one.by_key)


def _same(one: Trace, call: Call, other: Trace, twin: Call) -> bool:
    left, right = list(call.outputs.tensor_leaves()), list(twin.outputs.tensor_leaves())
    kinds = [[(leaf.name, leaf.dtype, leaf.shape) for leaf in leaves] for leaves in (left, right)]
    if kinds[0] != kinds[1]:
        return False
    return all(same_bits(one.tensor(mine), other.tensor(theirs)) for mine, theirs in zip(left, right, strict=True))
