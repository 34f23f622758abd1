"""Variants of a stage: a component of its own dropped or set otherwise, or a known one put before or after."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

State = dict[str, Any]
CHOICES: Mapping[str, Sequence[Any]] = {
    "prepend_scheme": ("always", "first", "never"),
    "strip_accents": (None, True, False),
    "behavior": ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"),
}
"""Settings that take more than true and false."""
PARTS = ("normalizers", "pretokenizers")


def state_of(component: Any) -> State | None:
    """A normaliser or pre-tokenizer as a tokenizer file has it; None for none and for one written in Python."""
    if component is None:
        return None
    try:
        state = json.loads(component.__getstate__())
    except Exception:  # what is written in Python has no such form
        return None
    return state if isinstance(state, dict) else None


def made_from(state: State | None, kind: str) -> Any:
    """The normaliser (or pre-tokenizer) that a state describes.

    Args:
        state: None for none.
        kind: ``normalizer`` or ``pre_tokenizer``.
    """
    from tokenizers import normalizers, pre_tokenizers

    if state is None:
        return None
    made = normalizers.Sequence([]) if kind == "normalizer" else pre_tokenizers.Sequence([])
    made.__setstate__(json.dumps(state).encode())
    return made


def components(state: State | None) -> list[State]:
    """The parts of a sequence, sequences within it resolved; a single component alone."""
    if state is None:
        return []
    parts = next((state[name] for name in PARTS if name in state), None)
    return [state] if parts is None else [each for part in parts for each in components(part)]


def sequence(parts: Sequence[State], kind: str) -> State | None:
    """Parts as one component."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return {"type": "Sequence", "normalizers" if kind == "normalizer" else "pretokenizers": list(parts)}


def reset(parts: Sequence[State]) -> Iterator[tuple[str, list[State]]]:
    """Each setting of each component otherwise; with its name."""
    for place, part in enumerate(parts):
        for name, value in part.items():
            for other in _others(name, value):
                yield f"{part['type']}({name}={other})", _with(parts, place, {**part, name: other})


def reduced(parts: Sequence[State]) -> Iterator[tuple[str, list[State]]]:
    """Each component dropped, each two neighbours exchanged; with its name."""
    for place, part in enumerate(parts):
        yield f"without {part['type']}", [*parts[:place], *parts[place + 1 :]]
    for place in range(len(parts) - 1):
        one, other = parts[place : place + 2]
        yield f"{other['type']} before {one['type']}", [*parts[:place], other, one, *parts[place + 2 :]]


def extended(parts: Sequence[State], known: Mapping[str, Sequence[State]]) -> Iterator[tuple[str, list[State]]]:
    """Known components put first, and put last; with the name."""
    for name, more in known.items():
        if any(part["type"] == more[0]["type"] and part == more[0] for part in parts):
            continue
        yield f"{name} first" if parts else name, [*copy.deepcopy(list(more)), *parts]
        if parts:
            yield f"{name} last", [*parts, *copy.deepcopy(list(more))]


def _others(name: str, value: Any) -> list[Any]:
    if name in CHOICES:
        return [each for each in CHOICES[name] if each != value]
    return [not value] if isinstance(value, bool) else []


def _with(parts: Sequence[State], place: int, part: State) -> list[State]:
    return [*parts[:place], part, *parts[place + 1 :]]
