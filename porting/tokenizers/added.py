"""The special tokens that a tokenizer adds around every text, seen from its ids alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

NEARLY_ALL = 0.9
"""Share of the texts that must begin (or end) with an id for it to be an added one: no text's own piece comes near."""
FEWEST = 8
MOST = 8

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """Ids before and after each text."""

    before: Ids = ()
    after: Ids = ()

    def __bool__(self) -> bool:
        return bool(self.before or self.after)

    def without(self, ids: Ids) -> Ids:
        """Ids without the added ones, where they are there."""
        if self.before and ids[: len(self.before)] == self.before:
            ids = ids[len(self.before) :]
        if self.after and ids[-len(self.after) :] == self.after:
            ids = ids[: -len(self.after)]
        return ids


def added_by(answers: Sequence[Ids]) -> Added:
    """What nearly all answers begin and end with; nothing if there are too few to say.

    Args:
        answers: to texts that differ.
    """
    answers = [ids for ids in dict.fromkeys(answers) if ids]
    if len(answers) < FEWEST:
        return Added()
    before = _shared(answers)
    rest = [ids[len(before) :] if ids[: len(before)] == before else ids for ids in answers]
    after = _shared([ids[::-1] for ids in rest])[::-1]
    return Added(before, after)


def _shared(answers: Sequence[Ids]) -> Ids:
    shared: Ids = ()
    while len(shared) < MOST:
        following = Counter(
            ids[len(shared)] for ids in answers if ids[: len(shared)] == shared and len(ids) > len(shared)
        )
        number, count = following.most_common(1)[0] if following else (0, 0)
        if count < NEARLY_ALL * len(answers):
            break
        shared = (*shared, number)
    return shared
