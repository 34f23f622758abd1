"""Why tensors of a checkpoint are left out."""

from __future__ import annotations

from collections.abc import Iterable

from porting.weights.inference.units import Unit
from porting.weights.inference.words import words

COMPUTED = ({"freq"}, {"position", "ids"}, {"mask"}, {"masked"}, {"relative", "index"}, {"cos"}, {"sin"}, {"tracked"})
"""Words of buffers that models compute themselves."""
TIED = "the port ties this tensor to another"
BUFFER = "a buffer that the port computes itself"
UNKNOWN = "nothing in the port takes it"


def reasons(left: Iterable[Unit], tied: Iterable[Unit]) -> dict[str, str]:
    """A reason for each name that no claim takes.

    Args:
        left: what is left.
        tied: the port's tensors under the names that are tied to others.
    """
    shapes = {unit.shape for unit in tied}
    return {name: _reason(unit, shapes) for unit in left for name in unit.members}


def _reason(unit: Unit, tied: set[tuple[int, ...]]) -> str:
    found = set(words(unit.name))
    if any(telling <= found for telling in COMPUTED):
        return BUFFER
    return TIED if unit.shape in tied else UNKNOWN
