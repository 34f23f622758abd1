"""The names under which tensors and modules do the same work in different code."""

from __future__ import annotations

import re

_ROLES = {
    "weight": ("gamma", "scale", "kernel", "w", "g"),
    "bias": ("beta", "b", "shift"),
    "running_mean": ("mean", "moving_mean"),
    "running_var": ("var", "moving_var", "moving_variance"),
    "weight_g": ("original0",),
    "weight_v": ("original1",),
}
_ROLE_OF = {alias: role for role, aliases in _ROLES.items() for alias in aliases}
_PROJECTIONS = {
    "query": ("q", "wq", "query", "queries", "to_q"),
    "key": ("k", "wk", "key", "keys", "to_k"),
    "value": ("v", "wv", "value", "values", "to_v"),
}
_FUSED = re.compile(r"qkv|q_k_v|query_key_value|kv(?![a-z])|in_proj|c_attn|wqkv|key_value", re.IGNORECASE)
_SUFFIX = re.compile(r"[_.]?(proj|projection|linear|lin|fc|layer|dense|w|weight)$", re.IGNORECASE)


def role(name: str) -> str:
    """What a tensor does in its module: ``weight``, ``bias`` and so on; its own name if that says nothing."""
    leaf = name.rsplit(".", 1)[-1]
    return _ROLE_OF.get(leaf.lower(), leaf)


def projection(path: str) -> str | None:
    """``query``, ``key`` or ``value`` for the module of that projection, None for any other."""
    leaf = _SUFFIX.sub("", path.rsplit(".", 1)[-1].lower())
    return next((kind for kind, names in _PROJECTIONS.items() if leaf in names), None)


def is_fused_projection(name: str) -> bool:
    """Whether a tensor's full name speaks of a fused projection of an attention."""
    return any(_FUSED.search(part) for part in name.split(".")[-2:])


def places(path: str) -> tuple[str, tuple[int, ...]]:
    """A path with its numbers taken out, and the numbers: modules of two layers differ in these alone."""
    parts = path.split(".")
    numbers = tuple(int(part) for part in parts if part.isdigit())
    return ".".join("*" if part.isdigit() else part for part in parts), numbers
