"""Which class of the original's code is the model: by the checkpoint's names, by its own, by who uses whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from porting.scaffold.reading import SourceClass, Sources

NAMES, NAMED, WHOLE, LOADS, OWN = 6.0, 2.0, 2.0, 0.5, 0.5
"""What counts how much: the checkpoint's names, a likeness of names, that no other class contains it, that it has a
way to load itself, a constructor of its own."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that may be the original model.

    Attributes:
        kind: the class.
        score: higher is likelier.
        reasons: why, in words.
    """

    kind: SourceClass
    score: float
    reasons: tuple[str, ...]


def rank(sources: Sources, words: Iterable[str], tensors: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """The classes that have a forward and are modules of torch, the likeliest first.

    Args:
        sources: the original's code.
        words: names that the class may be like: the new model's, the nearest model type's, the package's.
        tensors: names in the checkpoint.
    """
    used = {name for each in sources.classes if sources.is_module(each) for name in each.calls - {each.name}}
    wanted = [_letters(word) for word in words if word]
    tops = {name.split(".", 1)[0] for name in tensors}
    found = [
        _candidate(sources, each, used, wanted, tops)
        for each in sources.classes
        if each.name.isascii() and sources.is_module(each) and sources.forward(each) is not None
    ]
    return tuple(sorted(found, key=lambda each: (-each.score, len(each.kind.name), each.kind.module)))


def _candidate(sources: Sources, one: SourceClass, used: set[str], wanted: Sequence[str], tops: set[str]) -> Candidate:
    reasons: list[str] = []
    score = 0.0
    if tops:
        share = len(tops & sources.attributes(one)) / len(tops)
        score += NAMES * share
        if share:
            reasons.append(f"has {round(100 * share)} % of the checkpoint's outermost names")
    likeness = max((_likeness(_letters(one.name), word) for word in wanted), default=0.0)
    if likeness:
        score += NAMED * likeness
        reasons.append("is named like the model")
    if one.name not in used:
        score += WHOLE
        reasons.append("is part of no other module")
    if sources.loaders(one):
        score += LOADS
        reasons.append(f"has {sources.loaders(one)[0]}()")
    score += OWN * (one.arguments is not None)
    return Candidate(one, score, tuple(reasons))


def _likeness(name: str, word: str) -> float:
    """1 for the same letters, less where one only begins or holds the other, 0 else."""
    if name == word or name == f"{word}model":
        return 1.0
    if name.startswith(word):
        return 0.75
    return 0.5 if word in name or (len(name) > 2 and name in word) else 0.0


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
