"""The shapes of a class of Transformers with some settings, and how near they are to a checkpoint's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from porting.nearest.building import tensors_of
from porting.scaffold.fitting import Criterion, Shapes, by_shape, in_place_by_shape, unmatched
from porting.scaffold.settings import Layout, Settings, scope

TIED = "tied:"


@dataclass(frozen=True)
class Measure:
    """The shapes of a class with settings.

    Attributes:
        model_class: the class.
        layout: of its config.
        known: what was measured before.
    """

    model_class: type[torch.nn.Module]
    layout: Layout
    known: dict[str, Shapes | None] = field(default_factory=dict)

    def __call__(self, settings: Settings) -> Shapes | None:
        """The shapes; None for settings with which it cannot be built."""
        key = repr(sorted(settings.items()))
        if key not in self.known:
            self.known[key] = self._shapes(settings)
        return self.known[key]

    def _shapes(self, settings: Settings) -> Shapes | None:
        try:
            config = self.layout.config(settings | lost_ids(self.layout.defaults, settings))
        except Exception:  # settings that do not go together raise anything
            return None
        return shapes_with(self.model_class, config)


def shapes_with(model_class: type[torch.nn.Module], config: Any) -> Shapes | None:
    """The shapes of a class with a config, a tensor's other names marked as tied; None where it cannot be built."""
    try:
        tensors, tied = tensors_of(model_class, lambda: config)
    except Exception:  # so may what only the model finds
        return None
    return tensors | {f"{TIED}{name}": shape for name, shape in tied.items()}


def lost_ids(defaults: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, int]:
    """Ids of special tokens that are a default, and none of a smaller vocabulary: the first of all instead."""
    found = {}
    for name, value in defaults.items():
        size_name = f"{scope(name)}.vocab_size".lstrip(".")
        size = settings.get(size_name, defaults.get(size_name))
        lost = type(value) is int and type(size) is int and value >= size
        if lost and name.endswith("_token_id") and name not in settings:
            found[name] = 0
    return found


def nearness(found: Shapes, wanted: Shapes) -> float:
    """How near shapes are to a checkpoint's; 0 is equal, and what a shape shares with another counts, too."""
    return max(by_shape(each, wanted) for each in _once(found))


def apart(found: Shapes | None, wanted: Shapes) -> float:
    """How many tensors only one side has, whole ones; infinite for a model that cannot be built."""
    return float("inf") if found is None else min(unmatched(each, wanted) for each in _once(found))


def _once(found: Shapes) -> tuple[Shapes, Shapes]:
    """The ways in which a checkpoint has tied tensors: under each of their names, or once."""
    return found, {name: shape for name, shape in found.items() if not name.startswith(TIED)}


NEAREST = Criterion(nearness, in_place_by_shape)
