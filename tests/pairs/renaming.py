"""Rules for whole modules."""

from __future__ import annotations

from collections.abc import Mapping

from porting.weights import Rename
from porting.weights.rules.rule import Rule

Rules = tuple[Rule, ...]


def modules(parts: Mapping[str, str], old: str = "", new: str = "") -> Rules:
    """One rule for each module, whose parameters and buffers keep their names; ``old`` and ``new`` are prefixes."""
    return tuple(Rename(f"{old}{a}.{{leaf}}", f"{new}{b}.{{leaf}}") for a, b in parts.items())
