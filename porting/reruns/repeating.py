"""Run a model again and find what is not the same, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

from porting.trace import Trace, Value
from porting.trace.bits import same_bits


def differing_calls(one: Trace, other: Trace) -> tuple[str, ...]:
    """Labels of the calls that did not give the same bits in a second run, in the order in which they returned.

    Args:
        one: a trace.
        other: of the same model on the same inputs.
    """
    return tuple(_differing(one, other))


def first_differing(one: Trace, other: Trace, *, later: int = 0) -> str | None:
    """The call in which two runs of the same model part; None if none does.

    That is the first that gives other bits; where it was given other bits already, though no call before it gave
    any, it is the call around it, whose own code made them.

    Args:
        one: a trace.
        other: of the same model on the same inputs.
        later: steps of ``other`` that come before those to look at.
    """
    for call in one.completed:
        step, path, index = call.key
        twin = other.by_key.get((step + later, path, index))
        if twin is None or not _same_values(one, call.outputs, other, twin.outputs):
            parent = one.parent_of(call)
            fed = twin is not None and not _same_values(one, call.inputs, other, twin.inputs)
            return parent.label if fed and parent is not None else call.label
    return None


def _differing(one: Trace, other: Trace) -> Iterator[str]:
    for call in one.completed:
        twin = other.by_key.get(call.key)
        if twin is None or not _same_values(one, call.outputs, other, twin.outputs):
            yield call.label
    yield from (call.label for call in other.completed if call.key not in one.by_key)


def _same_values(one: Trace, mine: Value, other: Trace, theirs: Value) -> bool:
    left, right = list(mine.tensor_leaves()), list(theirs.tensor_leaves())
    kinds = [[(leaf.name, leaf.dtype, leaf.shape) for leaf in leaves] for leaves in (left, right)]
    if kinds[0] != kinds[1]:
        return False
    return all(same_bits(one.tensor(a), other.tensor(b)) for a, b in zip(left, right, strict=True))
