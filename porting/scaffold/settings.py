"""A config's settings as one table: those of the configs in it under dotted names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

NOT_SETTINGS = frozenset({"model_type", "architectures", "transformers_version", "_name_or_path", "dtype"})
Settings = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """The settings of a class of configs.

    Attributes:
        config_class: the class.
        default: one with nothing given.
    """

    config_class: type[Any]
    default: Any

    @classmethod
    def of(cls, config_class: type[Any]) -> Layout:
        """That of a class."""
        return cls(config_class, config_class())

    @cached_property
    def parts(self) -> dict[str, Any]:
        """The configs in the default one, by their dotted names, the outer ones first."""
        return dict(_parts(self.default, ""))

    @cached_property
    def defaults(self) -> Settings:
        """Every setting with its default: ``text_config.hidden_size`` as well as ``depths``, which may be a list."""
        found = _plain(self.default)
        for place, part in self.parts.items():
            found |= {f"{place}.{name}": value for name, value in _plain(part).items()}
        return found

    def arguments(self, settings: Mapping[str, Any]) -> Settings:
        """What the class is given for some settings: for a config in it, a dict with all that its class needs."""
        found: Settings = {name: value for name, value in settings.items() if "." not in name}
        for place in self.parts:
            told = {name: value for name, value in settings.items() if name.startswith(f"{place}.")}
            if told:
                _inner(found, place.split(".")).update(self._needed[place])
        for name, value in settings.items():
            *inside, own = name.split(".")
            if inside:
                _inner(found, inside)[own] = value
        return found

    def config(self, settings: Mapping[str, Any]) -> Any:
        """The config with some settings, and defaults for the rest.

        Raises:
            Exception: whatever the class raises for settings that do not go together.
        """
        return self.config_class(**self.arguments(settings))

    @cached_property
    def _needed(self) -> dict[str, Settings]:
        return {place: _said(part) for place, part in self.parts.items()}


def scope(name: str) -> str:
    """Where a setting is: ``text_config`` for ``text_config.hidden_size``, an empty text for the outermost ones."""
    return name.rpartition(".")[0]


def last(name: str) -> str:
    """A setting's name where it is."""
    return name.rpartition(".")[2]


def is_list(value: Any) -> bool:
    """Whether a setting is a list of whole numbers."""
    return isinstance(value, (list, tuple)) and bool(value) and all(type(each) is int for each in value)


def changed(settings: Mapping[str, Any], change: Mapping[str, Any]) -> Settings:
    """Settings, those of configs in a config in dicts of their own, with some of them changed, by dotted names."""
    found = {name: dict(value) if isinstance(value, dict) else value for name, value in settings.items()}
    for name, value in change.items():
        place, _, rest = name.partition(".")
        found[place] = changed(found.get(place, {}), {rest: value}) if rest else value
    return found


def _said(part: Any) -> Settings:
    """What the class of a config must be given to make it, and its type; nothing that it works out by itself."""
    wanted, alone = _plain(part), _plain(type(part)())
    own = {name: value for name, value in wanted.items() if alone.get(name, ...) != value}
    for name in list(own):
        less = {other: value for other, value in own.items() if other != name}
        with suppress(Exception):  # a class may refuse its own defaults beside other settings
            own = less if _plain(type(part)(**less)) == wanted else own
    return {"model_type": part.model_type, **own} if part.model_type else own


def _inner(found: Settings, place: list[str]) -> Settings:
    for name in place:
        found = found.setdefault(name, {})
    return found


def _parts(config: Any, before: str) -> Iterator[tuple[str, Any]]:
    from transformers import PreTrainedConfig

    for name in type(config).sub_configs:
        part = getattr(config, name, None)
        if isinstance(part, PreTrainedConfig):
            yield before + name, part
            yield from _parts(part, f"{before}{name}.")


def _plain(config: Any) -> Settings:
    """A config's own settings."""
    left_out = NOT_SETTINGS | set(type(config).sub_configs)
    return {name: value for name, value in config.to_dict().items() if name not in left_out}
