"""What ids spell, as bytes: the one form in which pieces of every kind of vocabulary can be held against a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from porting.tokenizers.sides import PortedTokenizer

SPACE_MARK = "\u2581"
BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
WHITESPACE = re.compile(
    rb"\s|\xe2\x96\x81|\xc2\xa0|\xc2\x85|\xe3\x80\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe1\x9a\x80"
)
SHARE = 0.05


class Piece(NamedTuple):
    """One id.

    Attributes:
        spelled: its bytes; None if it stands for any text (unknown) or for none (special).
        begins: whether it begins a word, where the vocabulary marks what does not.
    """

    spelled: bytes | None
    begins: bool


class Spelling:
    """How the pieces of one vocabulary are written.

    Args:
        ported: the port, by whose vocabulary the ids of both sides are read.
    """

    def __init__(self, ported: PortedTokenizer) -> None:
        self._ported = ported
        self._known: dict[int, Piece] = {}
        self._special = {*ported.control_tokens.values(), ported.unknown}

    def read(self, ids: Sequence[int]) -> list[Piece]:
        """Each id as a piece."""
        for number in ids:
            if number not in self._known:
                self._known[number] = self._piece(number)
        found = [self._known[number] for number in ids]
        if not self._ends:
            return found
        after = [True, *(self._ported.vocabulary.get(number, "").endswith(self._ends) for number in ids)]
        return [Piece(piece.spelled, begins) for piece, begins in zip(found, after, strict=False)]

    def bytes_of(self, text: str) -> bytes:
        """A text as the model of the port gets it, in bytes."""
        if self._byte_level and all(char in _BYTES for char in text):
            return bytes(_BYTES[char] for char in text)
        return text.encode("utf-8", "surrogatepass")

    @property
    def marks_words(self) -> bool:
        """Whether pieces tell where a word begins or ends."""
        return bool(self._continues or self._ends)

    @cached_property
    def _continues(self) -> str:
        """The mark of a piece that continues a word, or an empty text."""
        mark = getattr(getattr(self._ported.backend, "model", None), "continuing_subword_prefix", None)
        return str(mark) if mark else self._common("##", str.startswith)

    @cached_property
    def _ends(self) -> str:
        """The mark of a piece that ends a word, or an empty text."""
        mark = getattr(getattr(self._ported.backend, "model", None), "end_of_word_suffix", None)
        return str(mark) if mark else self._common("</w>", str.endswith)

    def _common(self, mark: str, has: Callable[[str, str], bool]) -> str:
        """A mark, if many pieces have it."""
        return mark if self._share(lambda piece: has(piece, mark)) > SHARE else ""

    @cached_property
    def _byte_level(self) -> bool:
        return self._share(lambda piece: "\u0120" in piece) > SHARE and not self._continues

    def _share(self, fits: Callable[[str], bool]) -> float:
        pieces = self._ported.vocabulary.values()
        return sum(1 for piece in pieces if fits(piece)) / max(len(pieces), 1)

    def _piece(self, number: int) -> Piece:
        text = self._ported.vocabulary.get(number)
        if text is None or number in self._special:
            return Piece(None, True)
        byte = BYTE_PIECE.fullmatch(text)
        if byte:
            return Piece(bytes([int(byte[1], 16)]), True)
        begins = not (self._continues and text.startswith(self._continues))
        text = text if begins else text.removeprefix(self._continues)
        return Piece(self.bytes_of(text.removesuffix(self._ends) if self._ends else text), begins)


def squeezed(text: bytes) -> bytes:
    """A text without whitespace and what stands for it."""
    return WHITESPACE.sub(b"", text)


def spells(pieces: Sequence[Piece], text: bytes) -> bool:
    """Whether pieces spell a text, where those that are unknown may stand for any bytes."""
    place, loose = 0, False
    for piece in pieces:
        if piece.spelled is None:
            loose = True
            continue
        found = text.find(piece.spelled, place) if loose else (place if text.startswith(piece.spelled, place) else -1)
        if found < 0:
            return False
        place, loose = found + len(piece.spelled), False
    return loose or place == len(text)


def _byte_alphabet() -> dict[str, int]:
    """Character to byte, as GPT-2's vocabulary writes bytes: printable ones as they are, the others from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + at): byte for at, byte in enumerate(others)}


_BYTES = _byte_alphabet()
