"""Build the index from the installed Transformers: every model type's default config on the meta device."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from porting.nearest.architectures import Architecture, Index
from porting.nearest.cells import cells_of
from porting.progress import Progress, silent

HEADS = ("ForPreTraining", "ForCausalLM", "ForConditionalGeneration", "ForMaskedLM", "ForImageClassification", "For")
"""Classes with a head, by their names, the first that there is."""
ALIKE = 0.9
"""Share of the tensors of a model that a class with a head must hold to be this model with a head."""
FLAGS = re.compile(r"bias|qk_?(layer)?norm|layer_?scale|pooling_layer|(?:absolute|rotary|position).*embed")
"""Settings, by their names, that say which tensors are there."""
DERIVED = re.compile(r"^from \.\.([a-z0-9_]+)\.modeling_", re.MULTILINE)
OPEN = {"vocab_size": 32000, "pad_token_id": 0, "prediction_length": 24}
"""Values for what default configs leave open."""
Shape = tuple[int, ...]


def build_index(progress: Progress = silent) -> Index:
    """Build every architecture that can be built, in a minute or two; nothing is downloaded.

    Args:
        progress: called for each model type.
    """
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    found: list[Architecture] = []
    skipped: dict[str, str] = {}
    names = sorted(CONFIG_MAPPING_NAMES)
    with alone():
        for number, name in enumerate(names):
            progress("looking at the architectures of Transformers", number, len(names))
            try:
                built = _built(name)
            except Exception as error:  # whatever a constructor raises for a config that it was not made for
                skipped[name] = type(error).__name__
            else:
                found += [] if built is None else [built]
    return Index(transformers.__version__, tuple(found), MappingProxyType(skipped))


@contextmanager
def alone() -> Iterator[None]:
    """Without the Hub, which some default configs ask, and without warnings, which are none of the user's."""
    from huggingface_hub import constants

    logger = logging.getLogger("transformers")
    level, offline = logger.level, constants.HF_HUB_OFFLINE
    logger.setLevel(logging.CRITICAL)
    constants.HF_HUB_OFFLINE = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        constants.HF_HUB_OFFLINE = offline


def _built(model_type: str) -> Architecture | None:
    """The architecture of a model type; None for one that is no model of its own."""
    from transformers import CONFIG_MAPPING

    config_class: type[Any] = CONFIG_MAPPING[model_type]
    classes = classes_of(config_class)
    if not classes:
        return None
    try:
        return _architecture(model_type, classes, lambda: _telling(config_class()))
    except Exception:  # a config that does not take other numbers than its own
        return _architecture(model_type, classes, config_class)


def _architecture(model_type: str, classes: list[type[Any]], config: Callable[[], Any]) -> Architecture:
    whole = next((each for each in classes if each.__name__.endswith("Model")), classes[0])
    headed = next((each for part in HEADS for each in classes if part in each.__name__), None)
    tensors, tied = tensors_of(whole, config)
    chosen, others = whole, set[str]()
    if headed is not None and headed is not whole:
        more, further = tensors_of(headed, config)
        prefix = f"{whole.base_model_prefix}."
        own = {name if prefix + name not in more else prefix + name: shape for name, shape in tensors.items()}
        if len(own.keys() & more.keys()) >= ALIKE * len(own):
            others = set(own) ^ set(more)
            chosen, tensors, tied = headed, {**more, **own}, further
    varied = _varied(chosen, config)
    everything = {name: shape for each in (tensors, tied, *varied) for name, shape in each.items()}
    cells = cells_of(everything, _optional(tensors.keys() | tied.keys(), others | set(tied), varied))
    return Architecture(
        model_type, chosen.__name__, cells, MappingProxyType(_sizes(config())), _heirs().get(_folder(chosen), 0)
    )


def _optional(known: set[str], others: set[str], varied: Sequence[Mapping[str, Shape]]) -> dict[str, int]:
    """What decides whether tensors are there, by name: of several settings the one that decides least."""
    found: dict[str, int] = {}
    changed = sorted(((known - others) ^ (each.keys() - others) for each in varied), key=len, reverse=True)
    for number, names in enumerate(changed):
        found |= dict.fromkeys(names, number + 2)
    return found | dict.fromkeys(others, 1)


def _varied(model_class: type[Any], config: Callable[[], Any]) -> list[dict[str, Shape]]:
    """The tensors that a model has with other settings of what is there or not, one at a time."""
    found = []
    for place, name, value in other_settings(config()):

        def other(place: str = place, name: str = name, value: object = value) -> Any:
            changed = config()
            setattr(getattr(changed, place) if place else changed, name, value)
            return changed

        with suppress(Exception):  # whatever a constructor raises for a setting that it does not take
            found.append({name: shape for each in tensors_of(model_class, other) for name, shape in each.items()})
    return found


def other_settings(config: Any) -> Iterator[tuple[str, str, object]]:
    """Settings of a config, and of those in it, that are set otherwise: the place, the name and the other value."""
    for place, part in {"": config, **parts_of(config)}.items():
        for name, value in vars(part).items():
            if isinstance(value, bool) and FLAGS.search(name):
                yield place, name, not value
            elif name == "position_embedding_type" and value == "absolute":
                yield place, name, "rotary"


def classes_of(config_class: type[Any]) -> list[type[Any]]:
    """The models that Transformers builds from a config of this class, the bare one among them."""
    from transformers import PreTrainedModel

    place = config_class.__module__.replace("configuration_", "modeling_")
    module = importlib.import_module(place)
    return [
        each
        for name, each in vars(module).items()
        if inspect.isclass(each)
        and issubclass(each, PreTrainedModel)
        and each.__module__ == place
        and getattr(each, "config_class", None) is config_class
        and not name.endswith("PreTrainedModel")
    ]


def tensors_of(model_class: type[Any], config: Callable[[], Any]) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """The shapes of what a model has, each tensor once; and those of the further names of some."""
    import torch
    from transformers.initialization import no_init_weights

    with torch.device("meta"), no_init_weights():
        model = model_class(config())
        model.tie_weights()
    seen: set[int] = set()
    found: tuple[dict[str, Shape], dict[str, Shape]] = ({}, {})
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor):
            found[id(tensor) in seen][name] = tuple(tensor.shape)
            seen.add(id(tensor))
    return found


def _telling(config: Any) -> Any:
    """A config with what it leaves open filled, and fewer heads of keys than of queries where it may have fewer.

    So that what may be of another size is.
    """
    for part in (config, *parts_of(config).values()):
        for name, value in filled_in(part).items():
            setattr(part, name, value)
    return config


def filled_in(part: Any) -> dict[str, Any]:
    """What a config, or one in it, leaves open, with values; and fewer heads of keys where it may have fewer."""
    heads, hidden = getattr(part, "num_attention_heads", None), getattr(part, "hidden_size", None)
    groups = getattr(part, "num_key_value_heads", 0)
    filled: dict[str, Any] = {}
    if not (isinstance(heads, int) and isinstance(hidden, int)):
        heads = hidden = 0
    if heads and groups in (None, heads):
        filled["num_key_value_heads"] = heads // 2 if heads % 2 == 0 else heads
    if heads and getattr(part, "head_dim", 0) is None:
        filled["head_dim"] = hidden // heads
    return filled | {name: value for name, value in OPEN.items() if getattr(part, name, value) is None}


def _folder(model_class: type[Any]) -> str:
    return model_class.__module__.split(".")[-2]


@lru_cache(maxsize=1)
def _heirs() -> Mapping[str, int]:
    """How many models are derived from the model in each folder, as their modular files say."""
    import transformers

    counts: Counter[str] = Counter()
    for path in Path(transformers.__file__).parent.glob("models/*/modular_*.py"):
        counts.update(set(DERIVED.findall(path.read_text(encoding="utf-8"))))
    return counts


def parts_of(config: Any) -> dict[str, Any]:
    """The configs in a config, by the names of their places."""
    from transformers import PreTrainedConfig

    found = {name: value for name, value in vars(config).items() if isinstance(value, PreTrainedConfig)}
    return {name.removeprefix("_"): value for name, value in found.items()}


def _sizes(config: Any) -> dict[str, int]:
    """The whole numbers of a config and of those in it."""
    places: Mapping[str, Any] = {"": config, **{f"{name}.": part for name, part in parts_of(config).items()}}
    return {
        prefix + name: value
        for prefix, part in places.items()
        for name, value in part.to_dict().items()
        if type(value) is int and value > 1 and not name.endswith("_id")
    }
