"""Search the class of a model type, and the settings, whose tensors have a checkpoint's shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import torch

from porting.scaffold.facts import Facts, facts_of
from porting.scaffold.fitting import FAR, Shapes, fit
from porting.scaffold.heads import is_groups, is_heads, single_heads, usual_heads
from porting.scaffold.measuring import NEAREST, Measure, apart
from porting.scaffold.options import MOST_OPTIONS, free_options
from porting.scaffold.settings import Layout, Settings, is_list, last, scope
from porting.scaffold.stages import OF_ROLE, UNSEEN, role_of, staged

SECONDS = 25.0
"""Seconds for all classes of a model type."""
LABELS = "num_labels"
MOST_HEADS = 4
"""Usual widths of heads that are tried."""


@dataclass(frozen=True)
class Search:
    """What was found.

    Attributes:
        chosen: the class that is nearest.
        others: those that are as near.
        settings: with which it is.
        near: how near; 0 is equal, and what a shape shares with another counts, too.
        apart: how many tensors only one side has; infinite if it cannot be built.
    """

    chosen: str
    others: tuple[str, ...]
    settings: Settings
    near: float
    apart: float


def search(
    layout: Layout,
    classes: Sequence[type[torch.nn.Module]],
    shapes: Shapes,
    start: Mapping[str, Any],
    known: Mapping[str, Any],
) -> Search:
    """Fit the first class, then see which others are as near with the same settings, and fit the nearest.

    Args:
        layout: of the config.
        classes: of the model type, the likeliest first.
        shapes: of the checkpoint.
        start: settings to begin with.
        known: those of them that stay as they are.
    """
    each = _Search(layout, shapes, known, facts_of(shapes), time.monotonic() + SECONDS)
    found: dict[str, tuple[Settings, float]] = {}
    settings, tried = dict(start), set[str]()
    nearest = classes[0]
    while nearest.__name__ not in tried:
        tried.add(nearest.__name__)
        found[nearest.__name__] = each.fitted(nearest, settings)
        settings = {name: value for name, value in found[nearest.__name__][0].items() if name != LABELS}
        found |= {kind.__name__: each.labelled(kind, settings) for kind in classes if kind.__name__ not in tried}
        nearest = max(classes, key=lambda kind: _rank(*found[kind.__name__]))
    chosen = nearest.__name__
    equal = tuple(name for name, (_, near) in found.items() if near == found[chosen][1] and name != chosen)
    built = Measure(nearest, layout)(found[chosen][0])
    return Search(chosen, equal, *found[chosen], apart(built, shapes))


def _rank(settings: Settings, near: float) -> tuple[float, bool]:
    """The nearest are best; of equals those that are so without a number of labels that was chosen for it."""
    return near, LABELS not in settings


@dataclass(frozen=True)
class _Search:
    """What is searched for: the layout of a config, shapes, settings that stay, and the time at which it ends."""

    layout: Layout
    shapes: Shapes
    known: Mapping[str, Any]
    facts: Facts
    until: float

    def fitted(self, model_class: type[torch.nn.Module], start: Settings) -> tuple[Settings, float]:
        """The settings with which a class is nearest, and how near it is."""
        defaults, measure = self.layout.defaults, Measure(model_class, self.layout)
        named, others = free_options(defaults, self.known, self.facts)
        named |= self._labels(model_class)
        begin = self._begin(measure, {name: values[0] for name, values in named.items()}, start)
        roles = {name: role_of(measure, begin, name, defaults[name]) if self._left() else UNSEEN for name in others}
        begin = staged(measure, begin, defaults, roles, self.facts, self.shapes)
        roles |= {name: role_of(measure, begin, name, defaults[name]) for name in others if self._left()}
        seen = {name: role for name, role in roles.items() if role != UNSEEN}
        begin |= {name: defaults[name] for name in seen if is_list(defaults[name]) and name not in begin}
        more = {name: OF_ROLE[role](begin.get(name, defaults[name]), self.facts) for name, role in seen.items()}
        wider = {name: [*values, *self.facts["dims"]][: 2 * MOST_OPTIONS] for name, values in named.items()}
        ease = single_heads(defaults | begin, others | named)
        best, near = begin, FAR
        for options in (named, named | more, wider | more):
            for way in (_as_is, *self._headed(begin), *_exchanges(begin)):
                its = (
                    (best, near)
                    if near == 0
                    else fit(measure, way(best), options, self.shapes, NEAREST, self._left(), ease)
                )
                best, near = its if its[1] > near else (best, near)
        kept = {name: value for name, value in best.items() if name in start or defaults.get(name, ...) != value}
        return kept, near

    def _begin(self, measure: Measure, likely: Settings, start: Settings) -> Settings:
        """Settings to begin with: the likeliest, or else others with which there is a model."""
        single = single_heads(self.layout.defaults | start, likely)
        ways = [likely | start, likely | start | single, start, start | single]
        return next((way for way in ways if measure(way) is not None), ways[0])

    def _headed(self, begin: Settings) -> list[Callable[[Settings], Settings]]:
        """What sets numbers of heads to usual ones, where groups of them have to go with that."""
        if not any(is_groups(name) for name in begin):
            return []
        defaults, heads = self.layout.defaults, [name for name in begin if is_heads(name) and not is_groups(name)]

        def headed(at: int, settings: Settings) -> Settings:
            for name in heads:
                counts = usual_heads(defaults, defaults | settings, name) or [settings[name]]
                settings = settings | {name: counts[min(at, len(counts) - 1)]}
            return settings

        return [partial(headed, at) for at in range(MOST_HEADS)]

    def labelled(self, model_class: type[torch.nn.Module], settings: Settings) -> tuple[Settings, float]:
        """How near another class is with the same settings; of one with labels, with as many as fit best."""
        measure, labels = Measure(model_class, self.layout), self._labels(model_class)
        return fit(measure, settings, labels, self.shapes, NEAREST, self._left())

    def _labels(self, model_class: type[torch.nn.Module]) -> dict[str, list[Any]]:
        return {LABELS: self.facts["classes"][:MOST_OPTIONS]} if "Classification" in model_class.__name__ else {}

    def _left(self) -> float:
        return max(self.until - time.monotonic(), 0.0)


def _as_is(settings: Settings) -> Settings:
    return settings


def _exchanges(begin: Settings) -> list[Callable[[Settings], Settings]]:
    """What exchanges the settings of two configs in a config: shapes alone may have taken one for the other."""
    places = [place for place in dict.fromkeys(map(scope, begin)) if place]
    return [partial(_exchanged, one, other) for one, other in combinations(places, 2)]


def _exchanged(one: str, other: str, settings: Settings) -> Settings:
    names = [last(name) for name in settings if scope(name) == one and f"{other}.{last(name)}" in settings]
    changed = {
        f"{place}.{name}": settings[f"{its}.{name}"] for name in names for place, its in ((one, other), (other, one))
    }
    return settings | changed
