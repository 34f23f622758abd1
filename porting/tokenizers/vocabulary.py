"""Texts that make a tokenizer use its whole vocabulary, so that two ids exchanged anywhere are seen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from porting.tokenizers.corpus import NOTED, Sample
from porting.tokenizers.sides import PortedTokenizer, ask
from porting.tokenizers.spelling import SPACE_MARK, Spelling
from porting.tokenizers.strings import HARD

CATEGORY = "vocabulary"
MOST = 65_536
"""Pieces; of a larger vocabulary, every second or third."""
TOGETHER = 64
MOST_GLUED = 4096
STEPS = (7919, 104_729)
"""How far apart two glued words are: primes, so that they walk through the whole vocabulary."""
USELESS = 0.8
"""Share of the pieces that are still left after a context, so that no other is tried."""
CONTEXTS = ("", "q", "xz", "a")
"""What may stand before a piece that continues a word."""
_NOTED = frozenset(c for category in NOTED for text in HARD.get(category, ()) for c in text if not c.isascii())


def vocabulary_samples(ported: PortedTokenizer) -> list[Sample]:
    """Lines of words from the port's own vocabulary, chosen so that the port gives as many of its ids as can be."""
    spelling = Spelling(ported)
    numbers = sorted(ported.vocabulary)
    wanted = dict(_words(spelling, numbers[:: len(numbers) // MOST + 1]))
    texts = list(_lines(_glued(list(wanted.values()))))
    for context in CONTEXTS:
        lines = list(_lines(f"{context}{word}" for word in wanted.values()))
        texts += lines
        given = {number for text in lines for number in ask(ported.encode_plain, text).ids or ()}
        left = {number: word for number, word in wanted.items() if number not in given}
        few = len(left) < TOGETHER or len(left) > USELESS * len(wanted)
        wanted = left
        if few:
            break
    return [Sample(CATEGORY, text) for text in texts]


def _words(spelling: Spelling, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Ids with what they spell, of those that spell a text in which right tokenizers agree."""
    for number, piece in zip(numbers, spelling.read(numbers), strict=True):
        try:
            word = (piece.spelled or b"").decode().replace(SPACE_MARK, " ")
        except UnicodeDecodeError:
            continue
        if word.strip() and not set(word) & _NOTED and _plain(word):
            yield number, word


def _glued(words: Sequence[str]) -> Iterator[str]:
    """Words that are in no vocabulary: two of it together, so that merges compete."""
    letters = [word for word in words if word.strip().isalpha()]
    for place in range(min(MOST_GLUED, len(letters))):
        one, other = letters[place * STEPS[0] % len(letters)], letters[place * STEPS[1] % len(letters)]
        yield f"{one}{other.strip()}"


def _plain(word: str) -> bool:
    """Whether a word has no marks, compatibility forms, control or unassigned characters."""
    return unicodedata.is_normalized("NFKC", word) and not any(unicodedata.category(c)[0] in "MC" for c in word)


def _lines(words: Iterable[str]) -> Iterator[str]:
    line: list[str] = []
    for word in words:
        line.append(word)
        if len(line) == TOGETHER:
            yield "\n".join(line)
            line = []
    if line:
        yield "\n".join(line)
