"""The port as Transformers has it: the classes of a model type, and which of them with which settings fits."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from porting.errors import PortingError
from porting.nearest import Candidate
from porting.quieting import quiet
from porting.scaffold.concepts import by_concept, concept_of
from porting.scaffold.fitting import Shapes, by_shape, facts_of, fit, unmatched, unseen
from porting.text import show
from porting.weights import build_on_meta

SECONDS = 20.0
MOST_OPTIONS = 12
Options = dict[str, list[int]]
TIED = "tied:"
FLOATS = (
    ("layer_norm_eps", "rms_norm_eps", "norm_eps", "layer_norm_epsilon", "norm_epsilon", "layernorm_epsilon", "eps"),
    ("hidden_act", "hidden_activation", "activation", "activation_function", "act_fn"),
)
"""Other settings that go by several names."""


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
    """

    model_type: str
    class_name: str
    config_name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    from_folder: bool = False
    open: tuple[str, ...] = ()
    distance: float | None = None
    others: tuple[str, ...] = ()


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
            built = {each.__name__: _Measure(each, lambda: config)({}) for each in _classes(model_type)}
            near = {name: _near(its, shapes) for name, its in built.items() if its is not None}
            chosen, *others = sorted(
                _best(near or dict.fromkeys(built, 0.0)), key=lambda name: name not in architectures
            )
            distance = -near[chosen] if chosen in near else None
            return Sibling(model_type, chosen, config_class.__name__, {}, True, (), distance, tuple(others))
        same = next((each for each in nearest if each.model_type == model_type), None)
        return _fitted(model_type, config_class, shapes, values, same)


def _own_config(config_class: Any, folder: str) -> Any:
    """The config in a folder; None where the class does not take what its file says."""
    try:
        return config_class.from_pretrained(folder)
    except Exception:  # whatever a config class makes of values of another kind
        return None


def _fitted(
    model_type: str, config_class: Any, shapes: Shapes, values: Mapping[str, Any], near: Candidate | None
) -> Sibling:
    defaults = config_class().to_dict()
    known = _known(defaults, values)
    if not shapes:
        return Sibling(model_type, next(_classes(model_type)).__name__, config_class.__name__, known)
    hints = {name: value for name, value in near.config.items() if name in defaults} if near else {}
    first = near.class_name if near else ""
    found = _search(model_type, config_class, shapes, hints | known, _free(defaults, known, shapes), first)
    if found.near < 0 and known:  # the original may mean something else by a name
        freely = _search(model_type, config_class, shapes, known | hints, _free(defaults, {}, shapes), first)
        found, known = (freely, {}) if freely.apart < found.apart else (found, known)
    if found.apart == float("inf"):
        return Sibling(model_type, found.chosen, config_class.__name__, known, distance=found.apart)
    settings = {**found.settings, **_lost_ids(defaults, found.settings)}
    measure, free = _Measure(_class(found.chosen), config_class), sorted(settings.keys() - known.keys())
    hidden = unseen(measure, settings, free)
    counts = [name for name in free if concept_of(name) in ("heads", "groups")]
    heads = tuple(unseen(measure, settings, [name for name in counts if concept_of(name) == "heads"], counts))
    told = {name: value for name, value in settings.items() if name not in hidden and defaults.get(name, ...) != value}
    told |= {name: settings[name] for name in heads}
    return Sibling(
        model_type, found.chosen, config_class.__name__, told, False, heads, found.apart, tuple(found.others)
    )


def _lost_ids(defaults: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, int]:
    """Ids of special tokens that are a default, and none of a smaller vocabulary: the first of all instead."""
    size = settings.get("vocab_size", defaults.get("vocab_size"))
    ids = {name: value for name, value in defaults.items() if name.endswith("_token_id") and type(value) is int}
    return {name: 0 for name, value in ids.items() if type(size) is int and value >= size and name not in settings}


@dataclass(frozen=True)
class _Search:
    """The nearest class, those that are as near, its settings, and how near it is.

    Attributes:
        near: 0 is equal, less is further; what a shape shares with another counts, too.
        apart: how many tensors only one side has, whole ones; infinite if it cannot be built.
    """

    chosen: str
    others: list[str]
    settings: dict[str, Any]
    near: float
    apart: float


def _search(
    model_type: str,
    config_class: Any,
    shapes: Shapes,
    start: Mapping[str, Any],
    free: tuple[Options, Options],
    first: str,
) -> _Search:
    """Fit every class of a model type; of those that are as near, one named ``first`` comes first."""
    named, rest = free
    settings = {name: found[0] for name, found in named.items()} | dict(start)
    defaults, sizes = config_class().to_dict(), facts_of(shapes)

    def configured(**settings: Any) -> Any:
        return config_class(**settings, **_lost_ids(defaults, settings))

    fits = {}
    for each in _classes(model_type):
        options = dict(named)
        if "Classification" in each.__name__:
            options["num_labels"] = sizes["classes"][:MOST_OPTIONS]
        fits[each.__name__] = fit(_Measure(each, configured), settings, options, shapes, _near, SECONDS)
    best = _best({name: near for name, (_, near) in fits.items()})
    chosen, *others = sorted(best, key=lambda name: name != first)
    wider = {name: [*values, *sizes["dims"]][: 2 * MOST_OPTIONS] for name, values in named.items()}
    measure = _Measure(_class(chosen), configured)
    fitted, near = fit(measure, fits[chosen][0], wider | rest, shapes, _near, SECONDS)
    built = measure(fitted)
    apart = float("inf") if built is None else min(unmatched(each, shapes) for each in _once(built))
    return _Search(chosen, others, fitted, near, apart)


def _free(defaults: Mapping[str, Any], known: Mapping[str, Any], shapes: Shapes) -> tuple[Options, Options]:
    """What each setting that is a whole number, and not known, may be: those with a usual meaning, and others."""
    facts = facts_of(shapes)
    found: Options = {}
    rest: Options = {}
    for name, default in defaults.items():
        meaning = concept_of(name)
        if name in known or name in _NOT_SETTINGS or not (type(default) is int or (default is None and meaning)):
            continue
        if meaning and facts.get(meaning):
            found[name] = facts[meaning][:MOST_OPTIONS]
        elif not name.endswith(("_id", "_ids")) and type(default) is int and default > 1:
            rest[name] = facts["dims"][:MOST_OPTIONS]
    return found, rest


@dataclass(frozen=True)
class _Measure:
    """The shapes of a class with settings."""

    model_class: type[torch.nn.Module]
    config_class: Callable[..., Any]

    def __call__(self, settings: dict[str, Any]) -> Shapes | None:
        try:
            return _shapes(build_on_meta(self.model_class, self.config_class(**settings)))
        except Exception:  # settings that do not go together raise anything
            return None


def _shapes(model: torch.nn.Module) -> Shapes:
    """What it saves; a tensor's other names, where it is tied, marked as such."""
    seen: set[int] = set()
    found = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        found[f"{TIED}{name}" if id(tensor) in seen else name] = tuple(tensor.shape)
        seen.add(id(tensor))
    return found


def _near(found: Shapes, wanted: Shapes) -> float:
    """How near shapes are to a checkpoint's."""
    return max(by_shape(each, wanted) for each in _once(found))


def _once(found: Shapes) -> tuple[Shapes, Shapes]:
    """The ways in which a checkpoint has tied tensors: under each of their names, or once."""
    return found, {name: shape for name, shape in found.items() if not name.startswith(TIED)}


def _best(near: Mapping[str, float]) -> list[str]:
    """The nearest classes, in their order."""
    return [name for name, each in near.items() if each == max(near.values())]


def _known(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a config that are known from elsewhere: by its own names, else by what they say."""
    meanings = by_concept(dict(values))
    found: dict[str, Any] = {}
    for name, default in defaults.items():
        if name in _NOT_SETTINGS:
            continue
        value = values.get(name, _told(name, values))
        if value is not None and _same_kind(value, default):
            found[name] = value
        elif type(default) is int and (meaning := concept_of(name)) in meanings:
            found[name] = meanings[str(meaning)]
    return found


_NOT_SETTINGS = frozenset({"model_type", "architectures", "transformers_version", "_name_or_path", "dtype"})


def _told(name: str, values: Mapping[str, Any]) -> Any:
    names = next((group for group in FLOATS if name in group), ())
    return next((values[other] for other in names if other in values), None)


def _same_kind(value: Any, default: Any) -> bool:
    numbers = (int, float)
    return type(value) is type(default) or (type(value) in numbers and type(default) in numbers)


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
