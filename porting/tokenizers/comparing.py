"""Both tokenizers on a whole corpus: what each says, what is left out and why."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from porting.tokenizers.added import Added, added_by
from porting.tokenizers.corpus import CONTROL, GLUED, NOTED, Sample
from porting.tokenizers.sides import Answer, Encode, OriginalTokenizer, PortedTokenizer, ask

Status = Literal["equal", "different", "noted", "skipped"]
BUDGET = 30.0
"""Seconds for the corpus; texts that come later are left out, and counted."""
LONGEST = 10.0
"""Seconds that a text may be expected to take, from a shorter one of its family, if they grow as its square."""
PLAIN_TEXT = "the original takes control tokens in a text for plain text"


@dataclass(frozen=True, slots=True)
class Pair:
    """One text and what both sides said.

    Attributes:
        sample: the text.
        original: the original's answer.
        ported: the port's answer, with or without added special tokens as `Compared.special` says.
        reason: why it is noted or skipped; empty for what counts.
    """

    sample: Sample
    original: Answer
    ported: Answer
    reason: str = ""

    @property
    def status(self) -> Status:
        """Different if the original answered and the port did not, or with other ids."""
        if self.original.ids is None:
            return "skipped"
        if self.original.ids == self.ported.ids:
            return "equal"
        return "noted" if self.reason else "different"


@dataclass(frozen=True)
class Compared:
    """All pairs, and what follows from them together.

    Attributes:
        pairs: in the order of the corpus.
        special: whether the port's ids are those with its added special tokens.
        original_added: what the original adds around each text.
        ported_added: what the port adds by default.
        plain_control: whether the original takes control tokens in a text for plain text, all of them.
    """

    pairs: tuple[Pair, ...]
    special: bool
    original_added: Added
    ported_added: Added
    plain_control: bool

    def of(self, status: Status) -> list[Pair]:
        """The pairs of one status."""
        return [pair for pair in self.pairs if pair.status == status]

    @property
    def counted(self) -> list[Pair]:
        """The pairs that the claim is about."""
        return [pair for pair in self.pairs if pair.status in ("equal", "different")]

    @property
    def added(self) -> tuple[Added, Added]:
        """What surrounds the ids of both sides, as they were compared."""
        return self.original_added, self.ported_added if self.special else Added()


def compare(original: OriginalTokenizer, ported: PortedTokenizer, samples: Sequence[Sample]) -> Compared:
    """Ask both sides for the ids of every text.

    The original's ids are held against those of a plain call of the port; but where the original adds nothing to any
    text and the port does, against the port's without them: a tokenizer's own ``encode`` often leaves that to its
    caller.
    """
    asked = list(_asked(original.encode, ported.encode, samples))
    before = added_by([one.ids for _, one, _ in asked if one.ids is not None])
    default = added_by([other.ids for _, one, other in asked if other.ids is not None and one.ids is not None])
    special = bool(before) or not default
    if not special:
        asked = [(sample, one, _plain(ported, sample, one, other)) for sample, one, other in asked]
    plain_control = _takes_control_for_text(ported, asked, before)
    pairs = tuple(Pair(*each, _reason(each[0], plain_control=plain_control)) for each in asked)
    return Compared(pairs, special, before, default, plain_control)


def _asked(one: Encode, other: Encode, samples: Sequence[Sample]) -> Iterator[tuple[Sample, Answer, Answer]]:
    """Every sample with both answers; what would take too long is not asked."""
    started = time.perf_counter()
    seconds: dict[str, tuple[int, float]] = {}
    for sample in samples:
        size, took = seconds.get(sample.family, (0, 0.0)) if sample.family else (0, 0.0)
        expected = took * (len(sample.text) / size) ** 2 if size else 0.0
        spent = time.perf_counter() - started
        if expected > LONGEST or spent + expected > BUDGET:
            yield sample, Answer(None, "left out: it would take too long"), Answer(None)
            continue
        begun = time.process_time()
        answer = ask(one, sample.text)
        yield sample, answer, Answer(None) if answer.ids is None else ask(other, sample.text)
        seconds[sample.family] = len(sample.text), time.process_time() - begun


def _plain(ported: PortedTokenizer, sample: Sample, one: Answer, other: Answer) -> Answer:
    return other if one.ids is None else ask(ported.encode_plain, sample.text)


def _takes_control_for_text(
    ported: PortedTokenizer, asked: Sequence[tuple[Sample, Answer, Answer]], added: Added
) -> bool:
    """Whether the original answered to control tokens, and recognised none of them."""
    tokens = ported.control_tokens
    seen = [
        (tokens[sample.text], one.ids) for sample, one, _ in asked if sample.text in tokens and one.ids is not None
    ]
    return bool(seen) and all(number not in added.without(ids) for number, ids in seen)


def _reason(sample: Sample, *, plain_control: bool) -> str:
    if plain_control and sample.category in (CONTROL, GLUED):
        return PLAIN_TEXT
    return NOTED.get(sample.category, "")
