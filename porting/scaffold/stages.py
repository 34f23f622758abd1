"""Settings that are lists, a member for each stage: how many stages there are, how deep and how wide each is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from porting.scaffold.facts import Facts
from porting.scaffold.fitting import FAR, Shapes, put, slots
from porting.scaffold.heads import single_heads
from porting.scaffold.measuring import Measure, nearness
from porting.scaffold.options import SMALL, of_many, of_sizes
from porting.scaffold.settings import Settings, is_list, scope

MOST_STARTS = 40
MANY, SIZES, UNSEEN = "many", "sizes", "unseen"
"""What a setting says: how many modules there are, how large something is, or nothing that a shape shows."""
OF_ROLE = {MANY: of_many, SIZES: of_sizes}
Roles = Mapping[str, str]


def role_of(measure: Measure, settings: Settings, name: str, default: Any) -> str:
    """What changes where a setting is another one: which tensors there are, their shapes, or neither."""
    before, current = measure(settings), settings.get(name, default)
    places = [(name, at) for at in slots(current)]
    found = UNSEEN
    for place in places[1:] or places:
        value = current if place[1] is None else current[place[1]]
        for other in dict.fromkeys((2 * value, value + 1, value // 2)):
            its = measure(put(settings | ({name: current} if is_list(current) else {}), place, other))
            if its is not None and before is not None and its != before:
                found = MANY if its.keys() != before.keys() else SIZES
        if found == MANY:
            break
    return found


def staged(
    measure: Measure, begin: Settings, defaults: Settings, roles: Roles, facts: Facts, shapes: Shapes
) -> Settings:
    """The settings with lists of the checkpoint's number of stages, and with the depths and widths that fit best.

    Args:
        measure: the shapes with some settings.
        begin: settings to begin with.
        defaults: of the config.
        roles: what each of those that may be changed says.
        facts: of the checkpoint.
        shapes: of the checkpoint.
    """
    values = defaults | begin
    lists = {name: values[name] for name in roles if is_list(defaults[name])}
    for place, length in sorted({(scope(name), len(value)) for name, value in lists.items() if len(value) > 1}):
        group = {name: value for name, value in lists.items() if scope(name) == place and len(value) == length}
        counts = [name for name in roles if scope(name) == place and roles[name] == MANY and defaults[name] == length]
        if any(roles[name] != UNSEEN for name in group):
            starts = list(islice(_starts(begin, group, counts, roles, facts), MOST_STARTS))
            begin = max(starts, key=lambda start: _near(measure, start, shapes))
            begin = begin if measure(begin) is not None else begin | single_heads(begin, group)
    return begin


def _near(measure: Measure, settings: Settings, shapes: Shapes) -> float:
    """How near a start is; as long as most shapes are wrong, as many tensors as in the checkpoint say more."""
    found = measure(settings) or measure(settings | single_heads(settings, settings))
    return FAR if found is None else nearness(found, shapes) + 2 * min(len(found), len(shapes))


def _starts(
    begin: Settings, lists: Mapping[str, list[int]], counts: Sequence[str], roles: Roles, facts: Facts
) -> Iterator[Settings]:
    """Lists of one length for each number of stages that the checkpoint may have."""
    many = [name for name in lists if roles[name] == MANY]
    wide = [name for name, value in lists.items() if roles[name] == SIZES and min(value) > SMALL]
    length = len(next(iter(lists.values())))
    yield begin
    lengths = [length, *map(len, facts["depths"]), *map(len, facts["widths"])]
    for wanted in dict.fromkeys(lengths):
        resized: Settings = {name: _resized(value, wanted) for name, value in lists.items()}
        resized |= dict.fromkeys(counts, wanted) if wanted != length else {}
        depths = [dict.fromkeys(many, each) for each in facts["depths"] if many and len(each) == wanted]
        widths = [dict.fromkeys(wide, each) for each in facts["widths"] if wide and len(each) == wanted]
        for depth, width in product(depths or [{}], widths or [{}]):
            yield begin | resized | depth | width


def _resized(values: Sequence[int], length: int) -> list[int]:
    return [*values, *[values[-1]] * length][:length]
