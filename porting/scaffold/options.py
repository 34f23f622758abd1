"""What each setting of a config may be: known from elsewhere, or a value that the checkpoint's shapes offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from porting.scaffold.concepts import by_concept, concept_of
from porting.scaffold.facts import Facts
from porting.scaffold.settings import Settings, is_list, last, scope

MOST_OPTIONS = 12
SMALL = 8
"""Up to here a default is that of a kernel, a ratio or the like, not of a width."""
Options = dict[str, list[Any]]
OTHER_NAMES = (
    ("layer_norm_eps", "rms_norm_eps", "norm_eps", "layer_norm_epsilon", "norm_epsilon", "layernorm_epsilon", "eps"),
    ("hidden_act", "hidden_activation", "activation", "activation_function", "act_fn"),
)
"""Other settings that go by several names."""
ANY_CONFIG = frozenset({"config", "cfg", "args", "params", "model", "settings"})


def known_settings(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> Settings:
    """Settings of a config that are known from elsewhere: by its own names, else by what they say.

    Those of a config in it are known from settings of a part of the same name: ``vision_config.num_hidden_layers``
    from ``vision_cfg.layers``.

    Args:
        defaults: of the config.
        values: what is known, under any usual name.
    """
    found: Settings = {}
    for place in dict.fromkeys(map(scope, defaults)):
        own = {last(name): value for name, value in defaults.items() if scope(name) == place}
        known = {last(name): value for name, value in values.items() if _same_part(scope(name), place)}
        found |= {f"{place}.{name}" if place else name: value for name, value in _known(own, known).items()}
    return found


def _known(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> Settings:
    meanings = by_concept(dict(values))
    found: Settings = {}
    for name, default in defaults.items():
        value = values.get(name, _told(name, values))
        if value is not None and _same_kind(value, default):
            found[name] = value
        elif type(default) is int and (meaning := concept_of(name)) in meanings:
            found[name] = meanings[str(meaning)]
    return found


def free_options(defaults: Mapping[str, Any], known: Mapping[str, Any], facts: Facts) -> tuple[Options, Options]:
    """What each setting that is a number, or a list of them, and not known may be.

    Returns:
        The numbers with a usual meaning; and others, of which shapes have to show what they are.
    """
    found: Options = {}
    rest: Options = {}
    for name, default in defaults.items():
        own = last(name)
        if name in known or own.endswith(("_id", "_ids", "_indices", "_index")):
            continue
        meaning = concept_of(own)
        if (type(default) is int or (default is None and meaning)) and facts.get(str(meaning)):
            found[name] = facts[str(meaning)][:MOST_OPTIONS]
        elif (type(default) is int and default > 1) or is_list(default):
            rest[name] = []
    return found, rest


def of_many(default: Any, facts: Facts) -> list[Any]:
    """What a setting may be that says how many modules there are."""
    if not is_list(default):
        sizes = of_sizes(default, facts) if default > SMALL else []
        return [*facts["layers"], *range(1, SMALL + 1), *sizes]
    depths = [each for each in facts["depths"] if len(each) == len(default)]
    counts = [count for each in facts["depths"] for count in each] + facts["layers"]
    return [*depths, *dict.fromkeys([*counts, *range(1, SMALL + 1)])]


def of_sizes(default: Any, facts: Facts) -> list[Any]:
    """What a setting may be that says how large something is."""
    counts = default if is_list(default) else [default]
    small = [*range(1, SMALL + 1), *facts["kernels"]] if min(counts) <= SMALL else []
    widths = [each for each in facts["widths"] if is_list(default) and len(each) == len(default)]
    members = [each for way in widths for each in way]
    sizes = dict.fromkeys([*small, *members, *facts["channels"], *facts["hidden"], *facts["dims"]])
    return [*widths, *list(sizes)[: 3 * MOST_OPTIONS], *(1 << power for power in range(8))]


def _same_part(one: str, other: str) -> bool:
    words = [set(each.replace(".", "_").split("_")) - ANY_CONFIG - {""} for each in (one, other)]
    return words[0] == words[1]


def _told(name: str, values: Mapping[str, Any]) -> Any:
    names = next((group for group in OTHER_NAMES if name in group), ())
    return next((values[other] for other in names if other in values), None)


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(value, (list, tuple)) and isinstance(default, (list, tuple)):
        return True
    numbers = (int, float)
    return type(value) is type(default) or (type(value) in numbers and type(default) in numbers)
