"""Names that Transformers' own conversion of a model type reads: those of the checkpoints that it was written for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from porting.nearest.cells import LONGEST
from porting.weights.inference.units import ALONE

MOST_KINDS = 2000
"""Kinds of names that are tried."""


def converted_kinds(model_type: str, names: Iterable[str]) -> tuple[int, int]:
    """How many kinds of names some pattern of the model type's registered conversion matches, and of how many.

    Args:
        model_type: as Transformers' configs say.
        names: of a checkpoint's tensors; those that differ in their numbers alone are one kind.
    """
    patterns = _patterns(model_type)
    if not patterns:
        return 0, 0
    kinds: dict[str, None] = {}
    for name in names:
        kinds[ALONE.sub("0", name[-LONGEST:])] = None
        if len(kinds) == MOST_KINDS:
            break
    return sum(any(pattern.search(kind) for pattern in patterns) for kind in kinds), len(kinds)


@lru_cache(maxsize=256)
def _patterns(model_type: str) -> tuple[re.Pattern[str], ...]:
    """The patterns of the names that are converted; none where nothing is registered."""
    try:
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping
    except ImportError:
        return ()
    texts = [text for each in get_checkpoint_conversion_mapping(model_type) or () for text in each.source_patterns]
    return tuple(re.compile(text) for text in texts if not ANYTHING.fullmatch(text))


ANYTHING = re.compile(r"\W*(?:\(\.[*+]\??\))?\W*")
"""A pattern that says nothing of a name, such as one that puts something before every name."""
