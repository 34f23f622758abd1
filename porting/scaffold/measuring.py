"""The shapes of a class of Transformers with some settings, and how near they are to a checkpoint's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from porting.scaffold.fitting import Criterion, Shapes, by_shape, in_place_by_shape, unmatched
from porting.scaffold.settings import Layout, Settings, scope
from porting.weights import build_on_meta

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
    """The shapes of a class with a config; None where it cannot be built."""
    from transformers.initialization import no_init_weights

    try:
        with no_init_weights():
            model = build_on_meta(model_class, config)
            model.tie_weights()  # type: ignore[operator]
    except Exception:  # so may what only the model finds
        return None
    return _shapes(model)


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


def _shapes(model: torch.nn.Module) -> Shapes:
    """What it saves; a tensor's other names, where it is tied, marked as such."""
    seen: set[int] = set()
    found = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        found[f"{TIED}{name}" if id(tensor) in seen else name] = tuple(tensor.shape)
        seen.add(id(tensor))
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
