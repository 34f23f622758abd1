"""Settings that differ from those of the original: of the module itself, of its config, and how experts are chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.meanings import MEANINGS, Meaning, literal, meaning_of, same_meaning

_CODES = tuple(dict.fromkeys(meaning.code for meaning in MEANINGS))
_OF_CONFIG = ("attention-window", "expert-routing", "softcap", "rope-theta", "norm-placement")
"""What a config holds for modules that may not keep a copy of it."""
MOST_CHOSEN = 8
"""Largest number of experts per token that is tried."""


class OwnSetting(Cause):
    """A setting of the culprit differs from the setting of its counterpart that means the same."""

    codes: ClassVar = _CODES
    rank: ClassVar = 0

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's value in the port's attribute."""
        other = case.counterpart
        if other is None:
            return
        for name, held in case.info.settings.items():
            value, meaning = literal(held), meaning_of(name, case.info.class_name)
            if meaning is None or name not in vars(case.module):
                continue
            for theirs, wanted in same_meaning(other.settings, other.class_name, meaning):
                if wanted != value and _fits(value, wanted):
                    apply = partial(changes.setting, case.module, name, wanted)
                    yield _repair(meaning, name, value, f"the original's {theirs} is {wanted}", wanted, apply)


class ConfigSetting(Cause):
    """A setting of the port's config differs from the one that every module of the original has."""

    codes: ClassVar = _OF_CONFIG
    rank: ClassVar = 3

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's value in the config, and the whole run again."""
        config = getattr(case.module, "config", None) or getattr(case.model, "config", None)
        for name, value in list(vars(config).items()) if config is not None else ():
            meaning = meaning_of(name, "")
            if meaning is None or meaning.code not in _OF_CONFIG:
                continue
            for wanted in _held_by_all(case, meaning):
                if wanted != value and _fits(value, wanted):
                    apply = partial(changes.setting, config, name, wanted)  # type: ignore[arg-type]
                    text = f"modules of the original have {wanted}"
                    yield _repair(meaning, f"config.{name}", value, text, wanted, apply, whole=True)


class Routing(Cause):
    """How many experts there are for a token, or how their weights are normalised, is set differently."""

    codes: ClassVar = ("expert-routing",)
    rank: ClassVar = 3

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The other way of every switch, and other numbers, in the modules around the culprit."""
        parent = case.path.rpartition(".")[0]
        around = case.model.get_submodule(parent) if parent else case.module
        for path, module in around.named_modules(prefix=parent or case.path):
            for name, value in list(vars(module).items()):
                meaning = meaning_of(name, type(module).__name__)
                if meaning is None or meaning.code != "expert-routing":
                    continue
                for wanted in _others(value):
                    apply = partial(changes.setting, module, name, wanted)
                    text = f"the original computes with {wanted}"
                    yield _repair(meaning, f"{name} of {path}", value, text, wanted, apply, whole=True)


def _others(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [other for other in range(1, MOST_CHOSEN + 1) if other != value]
    return [1.0] if isinstance(value, float) and value != 1 else []


def _held_by_all(case: Case, meaning: Meaning) -> list[Any]:
    """The values, other than none, that modules of the original hold under a name of that meaning."""
    modules = case.original.modules.values()
    held = [value for info in modules for _, value in same_meaning(_scalars(info.settings), "", meaning)]
    return list(dict.fromkeys(value for value in held if value is not None))[:2]


def _scalars(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if isinstance(value, (bool, int, float))}


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value can stand where another one does: a number for a number, none for either."""
    numbers = isinstance(value, (int, float)) and isinstance(wanted, (int, float))
    return value is None or wanted is None or numbers or type(value) is type(wanted)


def _repair(
    meaning: Meaning, name: str, value: Any, other: str, wanted: Any, apply: Any, *, whole: bool = False
) -> Repair:
    return Repair(
        code=meaning.code,
        summary=f"{name} is {value}, {other}",
        fix=f"set {name.rpartition(' of ')[0] or name} to {wanted}, from the config",
        apply=apply,
        whole=whole,
    )
