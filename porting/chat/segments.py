"""What differs between two stretches of control text: the words between the contents of a prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from porting.text import show

Control = Literal["bos", "eos", "separator", "role header", "end of turn"]
MARKS = r"<\|[^|<>]{1,60}\|>|<</?[^<>]{1,30}>>|</?\w{1,30}>|\[/?\w{1,30}\]"
"""Control tokens of the usual forms."""
PIECES = rf"{MARKS}|\s+|\w+|."


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a tokenizer that begin and end sequences, and all special ones."""

    bos: str | None = None
    eos: str | None = None
    special: tuple[str, ...] = ()

    def pieces(self, text: str) -> list[str]:
        """A text in control tokens, whitespace and words."""
        longest_first = sorted({token for token in self.special if token}, key=len, reverse=True)
        return re.findall("|".join([*map(re.escape, longest_first), PIECES]), text, re.DOTALL)


def segment_difference(original: str, ported: str, ending: str, tokens: Tokens) -> tuple[Control, str]:
    """The kind of the first difference, and the two readings.

    Args:
        original: the stretch as the original writes it.
        ported: as the port does.
        ending: with what of it the original ends the turn before.
        tokens: of the tokenizer.
    """
    one, two = tokens.pieces(original), tokens.pieces(ported)
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    edits = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    first = edits[0] if edits else ("equal", 0, len(one), 0, len(two))
    left, right = one[first[1] : first[2]], two[first[3] : first[4]]
    what = f"the original writes {_quoted(left)} where the port writes {_quoted(right)}"
    return _kind(left, right, len("".join(one[: first[1]])) < len(ending), tokens), what


def _kind(left: list[str], right: list[str], ends_turn: bool, tokens: Tokens) -> Control:
    differing = {*left, *right}
    marks = {piece for piece in differing if not piece.isspace()}
    if not marks:
        return "separator"
    if marks == {tokens.bos} and tokens.bos != tokens.eos:
        return "bos"
    if marks == {tokens.eos}:
        return "eos"
    return "end of turn" if ends_turn else "role header"


def _quoted(pieces: list[str]) -> str:
    return show(repr("".join(pieces)), 120) if pieces else "nothing"
