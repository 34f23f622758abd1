"""What the names of two tensors say about each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from porting.text import show
from porting.weights.report import Remark

_PROJECTIONS = re.compile(r"(q|k|v|query|key|value)(_?(proj|lin|linear|layer|fc))?")


def numbered(name: str) -> tuple[str, tuple[int, ...]]:
    """A name with its numbers taken out, and the numbers: those of two layers differ in these alone."""
    parts = name.split(".")
    numbers = tuple(int(part) for part in parts if part.isdecimal())
    return ".".join("*" if part.isdecimal() else part for part in parts), numbers


def mistaken(wanted: str, held: str, *, same_source: bool = False) -> str:
    """The cause where a tensor holds what another should: ``wrong-layer``, ``qkv-order`` or ``swapped``.

    Args:
        wanted: the name of the one that it should hold.
        held: the name of the one that it holds, on the same side.
        same_source: both are cut from one tensor.
    """
    one, other = numbered(wanted), numbered(held)
    if one[0] == other[0] and one[1] != other[1]:
        return "wrong-layer"
    return "qkv-order" if same_source and _is_projection(wanted) and _is_projection(held) else "swapped"


def distance(wanted: str, held: str) -> tuple[bool, int]:
    """How unlike two names are: other words, then how many pieces differ."""
    one, other = wanted.split("."), held.split(".")
    differing = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
    return numbered(wanted)[0] != numbered(held)[0], differing


def layers_off(mistakes: Iterable[tuple[str, str]]) -> Iterator[Remark]:
    """Say of what holds another layer, by how many it is off, and where.

    Args:
        mistakes: names of the model's tensors, each with the name of the one whose data it holds.
    """
    found: dict[tuple[str, int], dict[int, int]] = {}
    for name, other in mistakes:
        (words, own), (others, held) = numbered(name), numbered(other)
        moved = [at for at, (one, other) in enumerate(zip(own, held, strict=False)) if one != other]
        if words == others and len(moved) == 1:
            stem = ".*".join(words.split(".*")[: moved[0] + 1])
            layers = found.setdefault((stem, held[moved[0]] - own[moved[0]]), {})
            layers[own[moved[0]]] = layers.get(own[moved[0]], 0) + 1
    for (stem, shift), layers in found.items():
        if len(layers) > 1:
            which = ", ".join(map(str, sorted(layers)))
            message = f"{sum(layers.values()):,} tensors of {show(stem)} {which} hold those of the layer {shift:+d}"
            yield Remark("layers-off", message)


def _is_projection(name: str) -> bool:
    return any(_PROJECTIONS.fullmatch(part) for part in name.lower().split("."))
