"""The ported config read for what inputs have to reach: windows, positions, heads, experts, scaled rotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Settings = Mapping[str, Any]

WINDOW = re.compile(r"(window|chunk|local_attention)")
NO_WINDOW = re.compile(r"(layer|pattern|feed_forward|num_|count|stride|ratio|overlap|_s$|use_|seconds)")
POSITIONS = ("max_position_embeddings", "n_positions", "max_target_positions", "max_sequence_length", "n_ctx")
OTHER_SENSES = re.compile(r"(vision|audio|image|speech)")
PLACEHOLDERS = re.compile(r"(image|video|audio|vision|speech|media)")
HEADS = ("num_attention_heads", "n_head", "num_heads")
KEY_VALUE_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k")
BY_LENGTH = ("dynamic", "longrope")
"""Kinds of scaled rotations that are the plain ones up to a length."""


def settings_of(config: Any) -> dict[str, Any]:
    """The values of a config under dotted names, those of configs within it included; empty without a config.

    Args:
        config: with ``to_dict``, a mapping, or an object with attributes.
    """
    return dict(_flat("", _mapping(config)))


def windows(settings: Settings) -> dict[str, int]:
    """Lengths past which attention to text is restricted, by name."""
    if settings.get("use_sliding_window") is False:
        return {}
    kinds = [kind for name, value in settings.items() if name.endswith("layer_types") for kind in value or ()]
    if kinds and not any(re.search("sliding|chunk|local", str(kind)) for kind in kinds):
        return {}
    return {name: value for name, value in _lengths(settings) if is_window(name)}


def is_window(name: str) -> bool:
    """Whether a setting of that dotted name is the width of a window over text."""
    last = _last(name)
    return bool(WINDOW.search(last)) and not NO_WINDOW.search(last) and not OTHER_SENSES.search(name)


def most_positions(settings: Settings) -> int | None:
    """The longest text that the config allows, None if it does not say."""
    found = [value for name, value in _lengths(settings) if _last(name) in POSITIONS and not OTHER_SENSES.search(name)]
    return min(found, default=None)


def scaled_from(settings: Settings) -> int | None:
    """The length past which rotations are scaled; None if they are not, or at every length."""
    for name, kind in settings.items():
        if _last(name) in ("rope_type", "type") and kind in BY_LENGTH:
            start = settings.get(f"{name.rpartition('.')[0]}.original_max_position_embeddings")
            start = start or settings.get("original_max_position_embeddings") or most_positions(settings)
            return start if isinstance(start, int) else None
    return None


def first_of(settings: Settings, names: tuple[str, ...]) -> tuple[str, int] | None:
    """The first setting with one of these names, in whichever part of the config."""
    found = ((name, value) for name, value in _lengths(settings, 1) if _last(name) in names)
    return next(found, None)


def special_tokens(settings: Settings) -> frozenset[int]:
    """Ids with a meaning of their own: padding, beginning, end, mask, placeholders."""
    found: set[int] = set()
    for name, value in settings.items():
        if re.search(r"token_(id|index)s?$", name):
            found |= {each for each in (value if isinstance(value, (list, tuple)) else [value]) if type(each) is int}
    return frozenset(found)


def placeholder_tokens(settings: Settings) -> frozenset[int]:
    """Ids that stand for parts of an image, a video or a sound."""
    return special_tokens({name: value for name, value in settings.items() if PLACEHOLDERS.search(name)})


def _lengths(settings: Settings, least: int = 2) -> Iterator[tuple[str, int]]:
    for name, value in settings.items():
        longest = max((v for v in value if type(v) is int), default=0) if isinstance(value, (list, tuple)) else value
        if type(longest) is int and longest >= least:
            yield name, longest


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _mapping(config: Any) -> Mapping[str, Any]:
    if isinstance(config, Mapping):
        return config
    if callable(getattr(config, "to_dict", None)):
        value = config.to_dict()
        return value if isinstance(value, Mapping) else {}
    return vars(config) if hasattr(config, "__dict__") else {}


def _flat(prefix: str, values: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value
