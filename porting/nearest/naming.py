"""What the names of two tensors say about each other."""

from __future__ import annotations

from functools import lru_cache

from porting.weights.inference.words import FILLERS, words

TABLES = frozenset({"position", "head", "token", "kind"})
"""What tables outside of blocks are for."""


@lru_cache(maxsize=1 << 16)
def contrary(one: str, other: str) -> bool:
    """Whether names say of tables that they are different ones."""
    left, right = (TABLES.intersection(words(name)) for name in (one, other))
    return bool(left and right) and not left & right


@lru_cache(maxsize=1 << 17)
def agreement(one: str, other: str) -> float:
    """0 to 1: the share of words that two names have in common."""
    left, right = set(words(one)) - FILLERS, set(words(other)) - FILLERS
    return len(left & right) / max(len(left | right), 1)
