"""Targets of tensors whose module has no counterpart: by place among the layers, or what nothing else holds."""

from __future__ import annotations

from collections.abc import Iterator

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.owned import Owned, axes_close, same_content, tensors_of_trace
from porting.diagnosis.tensors.roles import places, role
from porting.diagnosis.tensors.target import Target, layouts
from porting.trace import Trace, shared_rows

MOST_STRANGERS = 4
"""Original tensors that nothing in the port holds which are held against one ported tensor."""


def of_place(case: Case, tensor: Owned) -> Iterator[Target]:
    """For a tensor that holds the original's of another layer: the original's of its own; or what others of it hold.

    Where all the layers hold that of another at the same distance, the two sides count in different ways.
    """
    family, numbers = places(tensor.path)
    if tensor.is_constant or not numbers:
        return
    held = [one for one in tensors_of_trace(case.original) if same_content(one, tensor)]
    siblings = [each for each in _family(case.ported, family, tensor.info.name) if each.name != tensor.name]
    if any(places(one.path)[1] == numbers for one in held):
        yield from _by_custom(case, tensor, held, siblings)
        return
    for one in held:
        theirs, others = places(one.path)
        kin = _family(case.original, theirs, one.info.name)
        if len(others) == len(numbers) and not _all_shifted(siblings, kin, _shift(numbers, others)):
            for each in kin:
                if places(each.path)[1] == numbers:
                    yield from layouts(each, tensor, certain=True)


def _by_custom(case: Case, tensor: Owned, held: list[Owned], siblings: list[Owned]) -> Iterator[Target]:
    """The original's tensor of this layer that goes by the name of those that the port's other layers hold here."""
    customs = [
        {_name(one) for one in tensors_of_trace(case.original) if same_content(one, each) and not one.is_constant}
        for each in siblings
        if not each.is_constant
    ]
    custom = set.intersection(*customs) if customs else set()
    if custom.isdisjoint(_name(one) for one in held):
        numbers = places(tensor.path)[1]
        for one in tensors_of_trace(case.original):
            if _name(one) in custom and places(one.path)[1] == numbers:
                yield from layouts(one, tensor, certain=True)


def _name(tensor: Owned) -> tuple[str, str]:
    return places(tensor.path)[0], tensor.info.name


def _family(trace: Trace, family: str, name: str) -> list[Owned]:
    """The tensors of one name in modules whose paths differ in their numbers alone."""
    return [each for each in tensors_of_trace(trace) if each.info.name == name and places(each.path)[0] == family]


def _all_shifted(siblings: list[Owned], kin: list[Owned], shift: tuple[int, ...]) -> bool:
    """Whether every tensor holds that of the layer at one distance from its own."""
    return all(
        any(same_content(each, one) and _shift(places(each.path)[1], places(one.path)[1]) == shift for one in kin)
        for each in siblings
    )


def _shift(numbers: tuple[int, ...], others: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(other - number for number, other in zip(numbers, others, strict=False))


def strangers(case: Case, tensor: Owned) -> Iterator[Target]:
    """Original tensors of that shape which nothing in the port holds; those below the culprit's counterpart first."""
    if any(same_content(tensor, one) for one in tensors_of_trace(case.original)) and not tensor.is_constant:
        return
    ported = list(tensors_of_trace(case.ported))
    home = home_of(case, tensor.path)
    found: list[tuple[bool, bool, int, Owned]] = []
    for one in tensors_of_trace(case.original):
        fits = tensor.table in (one.table, one.table[::-1])
        if not fits or one.is_constant or any(_holds(other, one) for other in ported):
            continue
        near = home is not None and (one.path == home or one.path.startswith(f"{home}."))
        found.append((not near, role(one.info.name) != role(tensor.info.name), len(found), one))
    for *_, one in sorted(found, key=lambda each: each[:3])[:MOST_STRANGERS]:
        yield from layouts(one, tensor, certain=len(found) == 1)


def _holds(other: Owned, one: Owned) -> bool:
    if other.info.sketch is None or one.info.sketch is None:
        return False
    if same_content(one, other) or (one.shape == other.shape[::-1] and axes_close(one.turned, other.axes)):
        return True
    if one.table == other.table and one.rows is not None and other.rows is not None and one.is_one != other.is_one:
        return axes_close((one.rows,), (other.rows,))
    split = len(one.shape) == len(other.shape) == 2 and one.shape[1] == other.shape[1]
    return split and one.shape[0] < other.shape[0] and shared_rows(other.info.sketch, one.info.sketch) > 0.95


def home_of(case: Case, path: str) -> str | None:
    """The counterpart of the innermost aligned module that holds a path; the model is that of the model."""
    while path:
        if (found := case.alignment.original_of.get(path)) is not None:
            return found or None
        path = path.rpartition(".")[0]
    return None
