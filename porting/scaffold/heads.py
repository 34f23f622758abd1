"""Numbers of attention heads, which shapes seldom tell: which are usual for a width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from porting.scaffold.concepts import concept_of
from porting.scaffold.fitting import Measure, unseen
from porting.scaffold.settings import Settings, is_list, last, scope

HEADS = re.compile(r"(?:^|_)heads?$")
SIZES = (64, 32, 128, 16, 8, 96, 80, 48, 40, 256, 24, 72, 112, 4)
"""Widths of a head, the most usual first."""
MOST_HEADS = 32
"""Heads up to which other widths are thought of, too."""


def is_heads(name: str) -> bool:
    """Whether a setting is a number of heads, by its name."""
    return HEADS.search(last(name)) is not None or concept_of(last(name)) == "heads"


def is_groups(name: str) -> bool:
    """Whether it is one of heads of keys and values, of which there may be fewer."""
    return concept_of(last(name)) == "groups"


def unseen_heads(measure: Measure, settings: Settings, defaults: Settings, known: Iterable[str]) -> list[str]:
    """The numbers of heads that no shape tells, and that are not known."""
    counts = [name for name in dict.fromkeys([*defaults, *settings]) if is_heads(name) and name not in known]
    heads = [name for name in counts if not is_groups(name)]
    return unseen(measure, settings, heads, counts, defaults)


def single_heads(settings: Mapping[str, Any], names: Iterable[str]) -> Settings:
    """A single head for each of some settings that are numbers of heads, or lists of them: any width has that."""
    counts = [name for name in names if is_heads(name) or is_groups(name)]
    return {name: [1] * len(settings[name]) if is_list(settings.get(name)) else 1 for name in counts}


def with_heads(settings: Settings, name: str, heads: Any) -> Settings:
    """The settings with other numbers of heads, and as many more or fewer of keys and values."""
    found = settings | {name: heads}
    if type(heads) is int and settings.get(name):
        groups = [each for each in settings if is_groups(each) and scope(each) == scope(name) and settings[each]]
        found |= {each: max(round(settings[each] * heads / settings[name]), 1) for each in groups}
    return found


def usual_heads(defaults: Mapping[str, Any], settings: Mapping[str, Any], name: str) -> list[Any]:
    """How many heads there may be, the most usual first: as wide as the defaults have them, or as wide as others are.

    Args:
        defaults: of the config.
        settings: that are found.
        name: of the number of heads, or of the list of them.
    """
    widths, before, heads = _widths(settings, name), _widths(defaults, name), _listed(defaults.get(name))
    if not widths or len(widths) != len(_listed(settings[name])):
        return []
    own = [before[0] // heads[0]] if before and heads and heads[0] else []
    least = min(widths)
    others = [least // count for count in range(1, MOST_HEADS + 1) if least % count == 0]
    sizes = [size for size in dict.fromkeys([*own, *SIZES, *others]) if size > 0]
    sizes = [size for size in sizes if not any(width % size for width in widths)]
    counts = [[width // size for width in widths] for size in sizes]
    return counts if is_list(settings[name]) else [each[0] for each in counts]


def _widths(settings: Mapping[str, Any], name: str) -> list[int]:
    """The width, or widths, of what has these heads; none where that is not known."""
    for each, value in settings.items():
        own = last(each)
        if scope(each) == scope(name) and "hidden" in (concept_of(own), concept_of(own.removesuffix("s"))):
            return _listed(value)
    return []


def _listed(value: Any) -> list[int]:
    """A whole number, or a list of them, as a list; nothing else."""
    if is_list(value):
        return list(value)
    return [value] if type(value) is int else []
