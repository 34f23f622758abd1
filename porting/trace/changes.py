"""What differs between the facts, modules and parameters of two traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from porting.trace.model import Trace
    from porting.trace.parts import ModuleInfo, ParameterInfo

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        place: a fact, a module's path, a parameter's name, a call's label or a leaf's address.
        what: ``added``, ``removed``, ``order``, ``shape``, ``dtype``, ``content``, ``setting eps`` and so on.
        one: what the first trace says; a crc32 for a content.
        other: what the second says.
    """

    place: str
    what: str
    one: Any
    other: Any


def facts(prefix: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Change]:
    """What differs between two mappings, below their common mappings."""
    for key in dict.fromkeys((*one, *other)):
        left, right = one.get(key, ABSENT), other.get(key, ABSENT)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from facts(f"{prefix}{key}.", left, right)
        elif not same_fact(left, right):
            yield Change(f"{prefix}{key}", "fact", left, right)


def same_fact(one: object, other: object) -> bool:
    """Whether two plain values are the same in a manifest, where ``True`` is not 1 and a tuple is a list."""
    lists = (list, tuple)
    if isinstance(one, lists) and isinstance(other, lists):
        return len(one) == len(other) and all(map(same_fact, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def field_changes(place: str, one: object, other: object, names: Mapping[str, str]) -> Iterator[Change]:
    """Attributes of two records that differ; ``names`` says what each is called in print."""
    for attribute, what in names.items():
        left, right = getattr(one, attribute), getattr(other, attribute)
        if left != right:
            yield Change(place, what, left, right)


Tensor = tuple[str | None, tuple[int, ...] | None, int | None]
"""Dtype, shape and crc32; what has none of them has None."""


def content_changes(place: str, one: Tensor, other: Tensor) -> Iterator[Change]:
    """The differences of two tensors; of content only where it can be compared, in one dtype and shape."""
    if one[0] != other[0]:
        yield Change(place, "dtype", one[0], other[0])
    if one[1] != other[1]:
        yield Change(place, "shape", *(None if each[1] is None else list(each[1]) for each in (one, other)))
    if one[:2] == other[:2] and one[2] != other[2]:
        yield Change(place, "content", one[2], other[2])


def coverage_changes(one: Trace, other: Trace) -> Iterator[Change]:
    """What was observed or left out in one of them only."""
    for path in sorted(set(one.unobserved) ^ set(other.unobserved)):
        seen = [path not in trace.unobserved for trace in (one, other)]
        yield Change(path, "observed", *seen)
    yield from facts("left_out.", one.left_out or {}, other.left_out or {})


def module_changes(one: Trace, other: Trace) -> Iterator[Change]:
    """Modules added, removed, of another class, mode or setting."""
    for path in dict.fromkeys((*one.modules, *other.modules)):
        mine, theirs = one.modules.get(path), other.modules.get(path)
        if mine is None or theirs is None:
            classes = [module.class_name if module else None for module in (mine, theirs)]
            yield Change(path, "added" if mine is None else "removed", *classes)
        else:
            yield from _module(path, mine, theirs)


def _module(path: str, one: ModuleInfo, other: ModuleInfo) -> Iterator[Change]:
    yield from field_changes(path, one, other, {"class_name": "class", "training": "training", "alias_of": "alias"})
    for change in facts("", one.settings, other.settings):
        yield Change(path, f"setting {change.place}", change.one, change.other)


def parameter_changes(one: Trace, other: Trace) -> Iterator[Change]:
    """Parameters added, removed, of another shape, dtype or content."""
    mine, theirs = _owned(one), _owned(other)
    for name in dict.fromkeys((*mine, *theirs)):
        left, right = mine.get(name), theirs.get(name)
        if left is None or right is None:
            shapes = [list(each.shape) if each else None for each in (left, right)]
            yield Change(name, "added" if left is None else "removed", *shapes)
            continue
        yield from field_changes(name, left, right, {"kind": "kind", "tied_to": "tied to"})
        yield from content_changes(name, (left.dtype, left.shape, _sum(left)), (right.dtype, right.shape, _sum(right)))
        sums = [
            trace.checksum(each.gradient) if each.gradient else None for trace, each in ((one, left), (other, right))
        ]
        if sums[0] != sums[1]:
            yield Change(name, "gradient", *sums)


def _owned(trace: Trace) -> dict[str, ParameterInfo]:
    return {
        f"{path}.{parameter.name}" if path else parameter.name: parameter
        for path, module in trace.modules.items()
        for parameter in module.parameters
    }


def _sum(parameter: ParameterInfo) -> int | None:
    return parameter.sketch.crc32 if parameter.sketch else None
