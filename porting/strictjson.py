"""JSON from files that nobody vouches for: one meaning, whoever reads it."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(raw: bytes, *, most: int | None = None) -> Any:
    """Parse UTF-8 JSON in which no name is given twice and every number is one of JSON.

    Args:
        raw: the text.
        most: how many values it may hold, counted by its commas and opening brackets before it is parsed: what is
            parsed takes many times the memory of the text.

    Raises:
        ValueError: it is not that; the message says where.
    """
    if most is not None and sum(map(raw.count, (b",", b"[", b"{"))) > most:
        raise ValueError(f"it has more than {most:,} values")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)
