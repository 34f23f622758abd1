"""Ids that mean other pieces on the two sides: the same segmentation under another numbering."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from porting.tokenizers.comparing import Compared
from porting.tokenizers.sides import OriginalTokenizer, PortedTokenizer, ask
from porting.tokenizers.spelling import SPACE_MARK, Piece, Spelling, squeezed

Ids = tuple[int, ...]
MOST_PROBES = 48
FEWEST_SHIFTED = 8
WITNESSES = 2
"""Texts that must show a renumbering whose piece no text of its own can be made for."""


def renumbered(compared: Compared, original: OriginalTokenizer, ported: PortedTokenizer) -> dict[int, int]:
    """Port's id to the original's for the same piece, of those that differ; empty if the ids mean the same.

    A candidate is an id of the port in whose place the original always has one and the same other. It counts if its
    piece, as a text, is one on which the two differ in just this; else other settings (a lower case) would look alike.
    """
    seen: dict[int, set[int]] = defaultdict(set)
    back: dict[int, set[int]] = defaultdict(set)
    texts: dict[int, set[str]] = defaultdict(set)
    for text, ours, theirs in _aligned(compared):
        for mine, other in zip(ours, theirs, strict=True):
            seen[mine].add(other)
            back[other].add(mine)
            if mine != other:
                texts[mine].add(text)
    candidates = {
        mine: next(iter(others))
        for mine, others in seen.items()
        if len(others) == 1 and others != {mine} and all(len(back[other]) == 1 for other in others)
    }
    spelling = Spelling(ported)
    probe = Probe(original, ported, compared)
    kept: dict[int, int] = {}
    for count, (mine, other) in enumerate(candidates.items()):
        probed = probe.differs(other) if count < MOST_PROBES else 2 * len(kept) > count
        seen_enough = len(texts[mine]) >= WITNESSES and not _alike(*spelling.read([mine, other]))
        if probed or (probed is None and seen_enough):
            kept[mine] = other
    return kept | _shifted(kept, set(seen), ported)


def _shifted(numbers: Mapping[int, int], seen: set[int], ported: PortedTokenizer) -> dict[int, int]:
    """The other ids of the port, where those that were seen are all off by the same."""
    offsets = {other - mine for mine, other in numbers.items()}
    if len(offsets) != 1 or len(numbers) < FEWEST_SHIFTED:
        return {}
    (offset,) = offsets
    return {mine: mine + offset for mine in ported.vocabulary if mine >= min(numbers) and mine not in seen}


def _alike(one: Piece, other: Piece) -> bool:
    """Whether two pieces differ in case or whitespace alone, which an earlier stage explains as well."""
    texts = [squeezed(piece.spelled or b"").decode("utf-8", "replace").casefold() for piece in (one, other)]
    return texts[0] == texts[1]


def renamed(ids: Ids, numbers: Mapping[int, int]) -> Ids:
    """Ids under another numbering."""
    return tuple(numbers.get(number, number) for number in ids)


def _aligned(compared: Compared) -> list[tuple[str, Ids, Ids]]:
    """Text, port's ids and original's, without what was added, where there are as many of both."""
    one, other = compared.added
    found = []
    for pair in compared.pairs:
        if pair.original.ids is not None and pair.ported.ids is not None:
            ours, theirs = other.without(pair.ported.ids), one.without(pair.original.ids)
            if len(ours) == len(theirs):
                found.append((pair.sample.text, ours, theirs))
    return found


class Probe:
    """Texts made for single pieces, to see whether they have the same ids on both sides.

    Args:
        original: asked for the ids of a text.
        ported: asked for them, too, and by whose vocabulary pieces are read.
        compared: says what the original adds to a text.
    """

    def __init__(self, original: OriginalTokenizer, ported: PortedTokenizer, compared: Compared) -> None:
        self._original = original
        self._ported = ported
        self._compared = compared
        self._spelling = Spelling(ported)

    def differs(self, number: int) -> bool | None:
        """Whether an id means another piece to the original than to the port; None if no text shows it."""
        (piece,) = self._spelling.read([number])
        if piece.spelled is None:
            return None if number in self._ported.vocabulary else True
        word = piece.spelled.decode("utf-8", "ignore").replace(SPACE_MARK, " ")
        for text in (word, f" {word}", f"a{word}", f"b {word}", f"x{word}x"):
            ours, theirs = ask(self._ported.encode_plain, text).ids, ask(self._original.encode, text).ids
            if ours is not None and theirs is not None and number in ours:
                ours = self._compared.ported_added.without(ours)
                theirs = self._compared.original_added.without(theirs)
                return number not in theirs and len(theirs) == len(ours)
        return None
