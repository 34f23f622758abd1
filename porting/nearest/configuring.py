"""Settings of a config by name: those of configs in it and members of lists, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import gcd
from typing import Any

from porting.nearest.building import filled_in, other_settings, parts_of

Value = int | bool | str
Settings = Mapping[str, Value]
"""By name: ``hidden_size``, ``text_config.hidden_size``, ``depths[1]``."""
MEMBER = re.compile(r"(\w+)\[(\d+)\]")
GROUPS = "num_key_value_heads"
ABSENT = re.compile(r"inner|inter|size|dim|rank|ffn")
"""Settings, by their names, that may be a size where a config has none."""
CLASSES = "num_labels"
"""A number of configs that is the length of something else in them."""
LARGEST = 1 << 20
"""Above it, a number is no size of a model."""
MOST_MEMBERS = 12


def configured(config_class: type[Any], settings: Settings) -> Any:
    """A config with these settings, all else as its class has it; what must be there is filled in.

    Raises:
        Exception: whatever a config class makes of settings that do not go together.
    """
    default = config_class()
    arguments = _arguments(default, _own(settings, ""))
    for place, part in parts_of(default).items():
        given = _own(settings, place)
        if given:
            arguments[place] = type(part)(**_arguments(part, given))
    config = config_class(**arguments)
    for part in (config, *parts_of(config).values()):
        _complete(part)
    return config


def _own(settings: Settings, place: str) -> dict[str, Value]:
    """Those of one place, by their names there."""
    return {name.rpartition(".")[2]: value for name, value in settings.items() if name.rpartition(".")[0] == place}


def _arguments(part: Any, given: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in given.items():
        member = MEMBER.fullmatch(name)
        if member is None:
            found[name] = value
        else:
            values = list(found.get(member[1], getattr(part, member[1])))
            values[int(member[2])] = value
            found[member[1]] = values
    return found


def _complete(part: Any) -> None:
    """Values for what is left open, and special tokens that a smaller vocabulary has, too."""
    words = getattr(part, "vocab_size", None)
    for name, value in filled_in(part).items():
        if name not in (GROUPS, "head_dim"):
            setattr(part, name, value)
    for name, value in list(vars(part).items()):
        if name.endswith("_token_id") and type(value) is int and type(words) is int and value >= words:
            setattr(part, name, 0)


def starts_of(config_class: type[Any], known: Mapping[str, int]) -> list[Settings]:
    """Where a search may begin: with what is known, and numbers of heads that go with its widths; or without.

    Heads of keys are fewer than those of queries where they may be, so that sizes differ that may.
    """
    default = config_class()
    known = {name: value for name, value in known.items() if value <= LARGEST}
    fewer: dict[str, Value] = {}
    dividing: dict[str, Value] = {}
    for place, part in {"": default, **parts_of(default)}.items():
        front = f"{place}." if place else ""
        groups = filled_in(part).get(GROUPS)
        fewer |= {front + GROUPS: groups} if type(groups) is int else {}
        width = known.get(front + getattr(part, "attribute_map", {}).get("hidden_size", "hidden_size"), 0)
        for name, value in vars(part).items() if width else ():
            if name.endswith(("head", "heads")) and type(value) is int and value > 0:
                count = gcd(value, width)
                dividing[front + name] = max(count // 2, 1) if front + name in fewer else count
    return [{**known, **fewer, **known}, {**known, **fewer, **dividing, **known}, known, {}]


def numbers_of(config: Any) -> dict[str, int]:
    """The whole numbers of a config, of those in it and in their lists, that may be a size or a count."""
    found = {name: value for name, value in _values(config) if type(value) is int and 0 < value <= LARGEST}
    classes = getattr(config, CLASSES, None)
    return {**found, CLASSES: classes} if type(classes) is int else found


def others_of(config: Any) -> dict[str, Value]:
    """Other values of the settings that say which tensors are there."""
    return {
        f"{place}.{name}" if place else name: value
        for place, name, value in other_settings(config)
        if isinstance(value, bool | str)
    }


def absent_of(config: Any) -> list[str]:
    """The settings without a value that may be a size."""
    return [name for name, value in _values(config) if value is None and ABSENT.search(name)]


def _values(config: Any) -> Iterator[tuple[str, Any]]:
    for place, part in {"": config, **parts_of(config)}.items():
        for name, value in part.to_dict().items():
            whole = f"{place}.{name}" if place else name
            if isinstance(value, list | tuple) and len(value) <= MOST_MEMBERS:
                yield from ((f"{whole}[{at}]", each) for at, each in enumerate(value))
            elif not name.endswith(("_id", "_ids")):
                yield whole, value
