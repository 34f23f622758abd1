"""The port as Transformers has it: the classes of a model type, and which of them with which settings fits."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from porting.errors import PortingError
from porting.nearest import Candidate
from porting.quieting import quiet
from porting.scaffold.fitting import FAR, Shapes, unseen
from porting.scaffold.heads import unseen_heads, usual_heads, with_heads
from porting.scaffold.measuring import Measure, apart, lost_ids, nearness, shapes_with
from porting.scaffold.options import known_settings
from porting.scaffold.searching import LABELS, Search, search
from porting.scaffold.settings import Layout, Settings, is_list
from porting.text import show

MOST_WAYS = 12
"""Numbers of heads that are tried, the most usual ones."""


class ModelTypeError(PortingError):
    """A model type that Transformers does not have."""

    code = "model-type"
    exit_code = 2


@dataclass(frozen=True)
class Sibling:
    """A class of Transformers with settings.

    Attributes:
        model_type: whose it is.
        class_name: of the model.
        config_name: of its config.
        settings: what the config is given; all else is its default.
        from_folder: whether the checkpoint's own config.json says it all.
        open: settings that no shape tells and nothing else told.
        distance: how many shapes are not the checkpoint's; None where there is no checkpoint.
        others: classes that fit as well.
        ways: of numbers of heads that no shape tells, what each may be, with what has to go along, by dotted names.
    """

    model_type: str
    class_name: str
    config_name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    from_folder: bool = False
    open: tuple[str, ...] = ()
    distance: float | None = None
    others: tuple[str, ...] = ()
    ways: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def require_model_type(model_type: str) -> None:
    """Check that Transformers has a model type.

    Raises:
        ModelTypeError: it does not; the nearest names are in the hint.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if model_type in CONFIG_MAPPING_NAMES and next(_classes(model_type), None) is not None:
        return
    close = difflib.get_close_matches(model_type, CONFIG_MAPPING_NAMES, n=3, cutoff=0.5)
    raise ModelTypeError(
        f"Transformers has no models of the type {show(model_type)!r}",
        hint=f"near it: {', '.join(close)}" if close else "model types are the folders of transformers/models",
    )


def has_model_type(model_type: str) -> bool:
    """Whether Transformers has models of a type."""
    try:
        require_model_type(model_type)
    except ModelTypeError:
        return False
    return True


def sibling_of(
    model_type: str,
    shapes: Shapes,
    values: Mapping[str, Any],
    *,
    declared: str = "",
    architectures: tuple[str, ...] = (),
    folder: str | None = None,
    nearest: Sequence[Candidate] = (),
) -> Sibling:
    """The class of a model type that fits a checkpoint best, with the settings that fit best.

    Args:
        model_type: of Transformers.
        shapes: of the checkpoint; none without one.
        values: settings that are known from elsewhere, under any usual name.
        declared: the model type of a config.json beside the weights.
        architectures: the classes that it names.
        folder: where it is; None where there is none.
        nearest: architectures near the checkpoint; one of this model type is where the search begins.
    """
    with quiet():
        config_class = _config_class(model_type)
        config = _own_config(config_class, folder) if folder is not None and declared == model_type else None
        if config is not None:
            return _declared(model_type, config, shapes, architectures)
        same = next((each for each in nearest if each.model_type == model_type), None)
        return _fitted(model_type, config_class, shapes, values, same)


def _own_config(config_class: Any, folder: str) -> Any:
    """The config in a folder; None where the class does not take what its file says."""
    try:
        return config_class.from_pretrained(folder)
    except Exception:  # whatever a config class makes of values of another kind
        return None


def _declared(model_type: str, config: Any, shapes: Shapes, architectures: tuple[str, ...]) -> Sibling:
    """The class that fits with the checkpoint's own config."""
    built = {kind.__name__: shapes_with(kind, config) for kind in _classes(model_type)}
    near = {name: nearness(its, shapes) for name, its in built.items() if its is not None}
    best = max(near.values(), default=0.0)
    names = [name for name in built if near.get(name) == best] or list(built)
    chosen, *others = sorted(names, key=lambda name: name not in architectures)
    distance = apart(built[chosen], shapes) if chosen in near else None
    return Sibling(model_type, chosen, type(config).__name__, {}, True, (), distance, tuple(others))


def _fitted(
    model_type: str, config_class: Any, shapes: Shapes, values: Mapping[str, Any], near: Candidate | None
) -> Sibling:
    layout = Layout.of(config_class)
    known = known_settings(layout.defaults, values)
    kinds = list(_classes(model_type))
    if not shapes:
        return Sibling(model_type, kinds[0].__name__, config_class.__name__, layout.arguments(known))
    hints = {name: value for name, value in near.config.items() if name in layout.defaults} if near else {}
    first = near.class_name if near else ""
    kinds = sorted(kinds, key=lambda kind: kind.__name__ != first)
    found = search(layout, kinds, shapes, hints | known, known)
    if found.near < 0 and known:  # the original may mean something else by a name
        freely = search(layout, kinds, shapes, known | hints, {})
        found, known = (freely, {}) if freely.apart < found.apart else (found, known)
    if found.near == FAR:
        told = layout.arguments(known)
        return Sibling(model_type, found.chosen, config_class.__name__, told, distance=found.apart)
    return _told(model_type, layout, found, known)


def _told(model_type: str, layout: Layout, found: Search, known: Mapping[str, Any]) -> Sibling:
    """The class with those of the settings that are known, or that a shape tells; heads are guessed."""
    measure, defaults = Measure(_class(found.chosen), layout), layout.defaults
    settings = found.settings
    heads = unseen_heads(measure, settings, defaults, known)
    for name in heads:
        settings = _with_usual(measure, defaults, settings, name)
    resized = [name for name, value in settings.items() if is_list(value) and len(value) != len(defaults[name])]
    told = _needed(measure, settings, {*heads, *(name for name in known if known[name] != defaults.get(name, ...))})
    told |= lost_ids(defaults, told)
    return Sibling(
        model_type=model_type,
        class_name=found.chosen,
        config_name=layout.config_class.__name__,
        settings=layout.arguments({name: told[name] for name in [*defaults, LABELS] if name in told}),
        open=(*heads, *unseen(measure, settings, resized)),
        distance=found.apart,
        others=found.others,
        ways={name: _ways(measure, defaults, told, name) for name in heads},
    )


def _ways(measure: Measure, defaults: Settings, settings: Settings, name: str) -> list[Settings]:
    """What each usual number of heads changes in the settings, of those that leave the shapes as they are."""
    shapes = measure(settings)
    counts = usual_heads(defaults, {**defaults, **settings}, name)
    ways = [with_heads(settings, name, heads) for heads in counts]
    fitting = [way for way in ways if way != settings and measure(way) == shapes][:MOST_WAYS]
    return [{other: value for other, value in way.items() if settings.get(other, ...) != value} for way in fitting]


def _needed(measure: Measure, settings: Settings, kept: set[str]) -> Settings:
    """The settings without those that change no shape where they are left out."""
    shapes = measure(settings)
    for name in settings.keys() - kept:
        less = {other: value for other, value in settings.items() if other != name}
        settings = less if measure(less) == shapes else settings
    return settings


def _with_usual(measure: Measure, defaults: Mapping[str, Any], settings: Settings, name: str) -> Settings:
    """The settings with the most usual number of heads that leaves the shapes as they are."""
    shapes = measure(settings)
    ways = (with_heads(settings, name, heads) for heads in usual_heads(defaults, {**defaults, **settings}, name))
    guess = settings | {name: settings.get(name, defaults[name])}
    return next((each for each in ways if measure(each) == shapes), guess)


def _config_class(model_type: str) -> Any:
    from transformers import CONFIG_MAPPING

    return CONFIG_MAPPING[model_type]


def _classes(model_type: str) -> Iterator[type[torch.nn.Module]]:
    """The model classes of a type: the bare model, then those with heads."""
    import transformers
    from transformers.models.auto import modeling_auto

    mappings = [value for name, value in vars(modeling_auto).items() if _is_mapping(name)]
    seen: set[str] = set()
    for mapping in [modeling_auto.MODEL_MAPPING_NAMES, *mappings]:
        names = mapping.get(model_type, ())
        for name in (names,) if isinstance(names, str) else names:
            kind = None if name in seen else getattr(transformers, name, None)
            seen.add(name)
            if inspect.isclass(kind) and issubclass(kind, torch.nn.Module):
                yield kind


def _class(name: str) -> type[torch.nn.Module]:
    import transformers

    found: type[torch.nn.Module] = getattr(transformers, name)
    return found


def _is_mapping(name: str) -> bool:
    return name.startswith("MODEL") and name.endswith("_MAPPING_NAMES")
