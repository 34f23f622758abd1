"""Entries: modules that begin at another place than their counterparts.

A port may norm what enters its first layer inside that layer where the original does it before. Neither is wrong, but
what the two layers are given is not the same tensor: the original's is what the norm made, the port's what the norm is
given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from porting.alignment import Alignment
from porting.trace import Call, Trace, Value

Pairs = Sequence[tuple[Call, Call]]


def entered_apart(alignment: Alignment, original: Trace, ported: Trace) -> Alignment:
    """The alignment with a note at the modules whose arguments are not to be compared.

    One side gives such a module what a part returns; the other gives it what that part is given, and runs the part
    within.
    """
    pairs = alignment.calls(original, ported)
    turned = [(other, one) for one, other in pairs]
    apart = {(over.path, name) for _, over, _, name in _apart(original, ported, pairs)}
    apart |= {(outer.path, name) for outer, _, name, _ in _apart(ported, original, turned)}
    return alignment.put_apart(apart)


def _apart(here: Trace, there: Trace, pairs: Pairs) -> Iterator[tuple[Call, Call, str, str]]:
    """The pairs that are fed by a part on this side, whose counterpart runs in them on the other; both arguments."""
    makers: dict[int, list[tuple[Call, Call]]] = defaultdict(list)
    for part, within in pairs:
        before = set(_contents(here, part.inputs).values())
        for content in set(_contents(here, part.outputs).values()) - before:
            makers[content].append((part, within))
    for outer, over in pairs:
        for name, content in _contents(here, outer.inputs).items():
            for part, within in makers.get(content, ()):
                if _below(within, over) and not _below(part, outer):
                    yield from ((outer, over, name, other) for other in _shared(there, over, within))


def _shared(trace: Trace, outer: Call, part: Call) -> Iterator[str]:
    """The arguments of a call that a part of it is given as they are."""
    given = set(_contents(trace, part.inputs).values())
    yield from (name for name, content in _contents(trace, outer.inputs).items() if content in given)


def _below(call: Call, other: Call) -> bool:
    return call.path.startswith(f"{other.path}." if other.path else "") and call.path != other.path


def _contents(trace: Trace, value: Value) -> dict[str, int]:
    """The checksums of the floating tensors of a container."""
    leaves = (leaf for leaf in value.leaves if leaf.dtype is not None and "float" in leaf.dtype)
    return {leaf.name: trace.checksum(leaf.tensor) for leaf in leaves if leaf.tensor is not None}
