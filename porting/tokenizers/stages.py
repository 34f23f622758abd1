"""Which stage of a tokenizer differs first on one text, from ids alone on the original's side.

The original's ids are read by the port's vocabulary. What they spell is held against the text that the port's model
gets (its normaliser and pre-tokenizer can be seen), and where they part it, against the port's parts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from porting.tokenizers.comparing import Compared, Pair
from porting.tokenizers.corpus import CONTROL, OTHERS
from porting.tokenizers.exchanged import renamed
from porting.tokenizers.sides import PortedTokenizer
from porting.tokenizers.spelling import WHITESPACE, Piece, Spelling, spells, squeezed

Stage = Literal["normalise", "pre-tokenise", "merge", "vocabulary", "special tokens", "unknown"]
STAGES: tuple[Stage, ...] = ("normalise", "pre-tokenise", "merge", "vocabulary", "special tokens", "unknown")
Ids = tuple[int, ...]
MOST_CHARACTERS = 2000
UNKNOWN = b"\xff"
"""A word of which nothing is known; no text has this byte."""


class Stages:
    """Names the stage for the pairs of one comparison.

    Args:
        compared: all pairs; what the original does everywhere is seen from those that agree, too.
        ported: the port.
        numbers: the port's ids that the original numbers otherwise, see `renumbered`.
    """

    def __init__(self, compared: Compared, ported: PortedTokenizer, numbers: Mapping[int, int]) -> None:
        self._compared = compared
        self._ported = ported
        self.numbers = numbers
        self._spelling = Spelling(ported)

    def of(self, pair: Pair) -> Stage:
        """The first stage in which the two sides differ on a text."""
        if pair.original.ids is None or pair.ported.ids is None:
            return "unknown"
        one, other = self._compared.added
        theirs, ours = one.without(pair.original.ids), other.without(pair.ported.ids)
        if theirs == ours:
            return "special tokens"
        if any(number not in self._ported.vocabulary for number in theirs):
            return "special tokens" if pair.sample.category in (CONTROL, OTHERS) else "vocabulary"
        if renamed(ours, self.numbers) == theirs:
            return "vocabulary"
        if self._control(theirs) != self._control(ours):
            return "vocabulary" if self._other_unknown(theirs, ours) else "special tokens"
        return self._of_pieces(pair.sample.text, self._spelling.read(theirs), self._spelling.read(ours))

    def _control(self, ids: Ids) -> list[int]:
        special = set(self._ported.control_tokens.values()) - {self._ported.unknown}
        return [number for number in ids if number in special]

    def _other_unknown(self, theirs: Ids, ours: Ids) -> bool:
        """Whether nothing differs but the id that stands for what is not in the vocabulary."""
        differing = {(one, other) for one, other in zip(theirs, ours, strict=False) if one != other}
        return len(theirs) == len(ours) and len(differing) == 1 and self._ported.unknown in next(iter(differing))

    def _of_pieces(self, text: str, theirs: list[Piece], ours: list[Piece]) -> Stage:
        parts = self._parts(text)
        got = b"".join(parts) if parts is not None else _joined(ours)
        if got is None:
            return "unknown"
        if not spells([Piece(p.spelled and squeezed(p.spelled), p.begins) for p in theirs], squeezed(got)):
            return "normalise"
        if not spells(theirs, got) and not self._spelling.marks_words:
            return "pre-tokenise" if self._spaced_as_normalised(theirs, text) else "normalise"
        return self._of_parts(theirs, ours, parts)

    def _spaced_as_normalised(self, theirs: list[Piece], text: str) -> bool:
        """Whether the original has the whitespace of the port's normaliser, which only what follows changes."""
        normal = self._normal(text)
        if normal is None:
            return False
        pieces = [Piece(piece.spelled and _spaced(piece.spelled), piece.begins) for piece in theirs]
        spaced = _spaced(normal.encode())
        return any(spells(pieces, text) for text in (spaced, b" " + spaced, spaced.strip(), b" " + spaced.strip()))

    def _of_parts(self, theirs: list[Piece], ours: list[Piece], parts: list[bytes] | None) -> Stage:
        if self._spelling.marks_words:
            return "merge" if _same(_words(theirs), _words(ours)) else "pre-tokenise"
        if any(piece.spelled is None for piece in theirs):
            return "merge"
        cuts = _cuts([piece.spelled or b"" for piece in theirs])
        if parts is not None and not _cuts(parts) <= cuts:
            return "pre-tokenise"
        extra = cuts - _cuts([piece.spelled or b"" for piece in ours])
        text = _joined(theirs) or b""
        return "pre-tokenise" if extra and all(_kind(text, cut) in self._always_cut for cut in extra) else "merge"

    @cached_property
    def _always_cut(self) -> set[tuple[str, str]]:
        """Kinds of neighbours that the original parts wherever they meet, and the port does not."""
        parted: set[tuple[str, str]] = set()
        joined: set[tuple[str, str]] = set()
        ours: set[tuple[str, str]] = set()
        one, other = self._compared.added
        for pair in self._compared.pairs:
            if pair.original.ids is None or pair.ported.ids is None or len(pair.sample.text) > MOST_CHARACTERS:
                continue
            for ids, into in ((one.without(pair.original.ids), joined), (other.without(pair.ported.ids), ours)):
                pieces = [piece.spelled or b"" for piece in self._spelling.read(ids)]
                text, cuts = b"".join(pieces), _cuts(pieces)
                kinds = {cut: _kind(text, cut) for cut in range(1, len(text))}
                into |= {kind for cut, kind in kinds.items() if cut not in cuts}
                if into is joined:
                    parted |= {kinds[cut] for cut in cuts if cut in kinds}
        return (parted & ours) - joined

    def _parts(self, text: str) -> list[bytes] | None:
        """What the port's pre-tokenizer makes of its normaliser's text; None if that cannot be seen."""
        normal = self._normal(text)
        if normal is None or self._ported.backend is None:
            return None
        stage = self._ported.backend.pre_tokenizer
        parts = [(normal, None)] if stage is None else _without_panic(stage.pre_tokenize_str, normal)
        return None if parts is None else [self._spelling.bytes_of(part) for part, _ in parts]

    def _normal(self, text: str) -> str | None:
        """What the port's normaliser makes of a text; None if that cannot be seen."""
        backend = self._ported.backend
        if backend is None or backend.normalizer is None:
            return None if backend is None else text
        normal = _without_panic(backend.normalizer.normalize_str, text)
        return None if normal is None else str(normal)


def _joined(pieces: Sequence[Piece]) -> bytes | None:
    """What pieces spell; None if some are unknown."""
    spelled = [piece.spelled for piece in pieces]
    return None if None in spelled else b"".join(each for each in spelled if each is not None)


def _without_panic(stage: Callable[[str], Any], text: str) -> Any:
    """What a stage makes of a text; None if it raises."""
    try:
        return stage(text)
    except KeyboardInterrupt:
        raise
    except BaseException:  # a panic of the tokenizers library is no Exception
        return None


def _spaced(text: bytes) -> bytes:
    """A text with a space for everything that stands for whitespace."""
    return WHITESPACE.sub(b" ", text)


def _words(pieces: Sequence[Piece]) -> list[bytes]:
    """Words that pieces make up, where those that continue one are marked."""
    words: list[bytes] = []
    for piece in pieces:
        spelled = UNKNOWN if piece.spelled is None else piece.spelled
        if piece.begins or not words:
            words.append(spelled)
        else:
            words[-1] += spelled
    return words


def _same(words: Sequence[bytes], others: Sequence[bytes]) -> bool:
    """Whether words are the same, as far as they are known."""
    return len(words) == len(others) and all(
        one == other or UNKNOWN in (one, other) for one, other in zip(words, others, strict=True)
    )


def _cuts(parts: Sequence[bytes]) -> set[int]:
    """Where parts end, in bytes from the start; not the end of the last one."""
    ends, at = set(), 0
    for part in parts:
        at += len(part)
        ends.add(at)
    return ends - {at}


def _kind(text: bytes, cut: int) -> tuple[str, str]:
    """The kinds of the characters that meet at a place."""
    if cut >= len(text) or text[cut] & 0xC0 == 0x80:
        return "", ""
    before = cut - 1
    while before > 0 and text[before] & 0xC0 == 0x80:
        before -= 1
    one, other = text[before:cut].decode("utf-8", "ignore"), text[cut : cut + 4].decode("utf-8", "ignore")
    return _character(one[:1]), _character(other[:1])


def _character(char: str) -> str:
    if not char:
        return ""
    if "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff":
        return "CJK"
    return "space" if char.isspace() or char == "\u2581" else unicodedata.category(char)[0]
