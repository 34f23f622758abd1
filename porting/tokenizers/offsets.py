"""Offsets: where in the text each id comes from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from porting.tokenizers.faults import Findings, look_at
from porting.tokenizers.sides import PortedTokenizer
from porting.tokenizers.spelling import Spelling, squeezed

Offsets = Sequence[tuple[int, int]]


def check_offsets(ported: PortedTokenizer, texts: Sequence[str]) -> Findings:
    """Offsets lie in the text, never go back, leave out nothing that is in the ids, and point at what the ids spell.

    Args:
        ported: a tokenizer with a backend of the tokenizers library: others have none.
        texts: what to look at.
    """
    spelling = Spelling(ported)

    def problem(text: str) -> str:
        ids, offsets = _encoded(ported, text)
        return _bounds(offsets, len(text)) or _spelled(spelling, ids, offsets, text) or _covered(offsets, text)

    return look_at(texts, problem)


def _encoded(ported: PortedTokenizer, text: str) -> tuple[list[int], Offsets]:
    if ported.of_transformers:
        encoded = ported.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return list(encoded["input_ids"]), [tuple(pair) for pair in encoded["offset_mapping"]]
    encoding = ported.tokenizer.encode(text, add_special_tokens=False)
    return encoding.ids, encoding.offsets


def _bounds(offsets: Offsets, length: int) -> str:
    for place, (start, end) in enumerate(offsets):
        if not 0 <= start <= end <= length:
            return f"offset {place} is ({start}, {end}), outside of a text of {length} characters"
    for place, (one, other) in enumerate(pairwise(offsets)):
        if other[0] < one[0] or other[1] < one[1]:
            return f"offset {place + 1} is {tuple(other)}, before {tuple(one)}"
    return ""


def _spelled(spelling: Spelling, ids: Sequence[int], offsets: Offsets, text: str) -> str:
    """Whether a plain piece is another one than the plain text at its offsets."""
    for piece, (start, end) in zip(spelling.read(ids), offsets, strict=True):
        spelled = squeezed(piece.spelled or b"").decode("utf-8", "replace")
        there = "".join(text[start:end].split())
        plain = spelled.isascii() and spelled.isalnum() and text.isascii() and text.isprintable()
        if plain and spelled.casefold() != there.casefold():
            return f"offsets ({start}, {end}) point at {there!a}, and the id spells {spelled!a}"
    return ""


def _covered(offsets: Offsets, text: str) -> str:
    """Whether a plain word of the text lies outside of all offsets."""
    if not text.isascii() or not text.isprintable():
        return ""
    covered = {place for start, end in offsets for place in range(start, end)}
    left = [place for place, char in enumerate(text) if char.isalnum() and place not in covered]
    return f"character {left[0]} ({text[left[0]]!a}) lies in no offset" if left else ""
