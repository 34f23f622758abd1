"""Whether a port's tokenizer gives the original's ids; if not, on which texts, in which stage, and what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from porting.results import Result
from porting.text import show
from porting.tokenizers.added import Added
from porting.tokenizers.comparing import Compared, Pair
from porting.tokenizers.corpus import Sample
from porting.tokenizers.minimising import shortest
from porting.tokenizers.proving import Proof, prove
from porting.tokenizers.sides import OriginalTokenizer, PortedTokenizer, ask
from porting.tokenizers.stages import STAGES, Stage, Stages

MOST_SHOWN = 3
"""Texts of a category that are shown."""
MOST_NAMED = 100
"""Texts of a category of which the stage is named."""
NEARLY = 10
"""A repair after which less than one in so many texts still differs tells the stage."""
WINDOW = 6
"""Pieces that are shown from shortly before the first one that differs."""
PLACES = ("equal", "different", "noted", "skipped")


@dataclass(frozen=True)
class Difference:
    """One text on which the two sides differ.

    Attributes:
        category: of the text.
        text: as it is; print it through `porting.text.show`.
        stage: in which they differ first.
        at: place of the first id that differs.
        original: pieces from shortly before it, read by the port's vocabulary.
        ported: the port's own.
        reason: why it counts for nothing, or what the port raised.
    """

    category: str
    text: str
    stage: Stage
    at: int
    original: tuple[str, ...]
    ported: tuple[str, ...]
    reason: str = ""

    def line(self) -> str:
        """All of it in words, the text escaped."""
        where = f" ({self.reason})" if self.reason else ""
        pieces = f"{' '.join(self.ported) or 'nothing'}, expected {' '.join(self.original) or 'nothing'}"
        return f"{show(ascii(self.text), 120)}: {pieces}; {self.stage}{where}"

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON, its text as it can be printed."""
        return {
            "category": show(self.category),
            "text": show(ascii(self.text), 400),
            "stage": self.stage,
            "at": self.at,
            "original": list(self.original),
            "ported": list(self.ported),
            "reason": self.reason,
        }


@dataclass(frozen=True, repr=False)
class TokenizerParity(Result):
    """What both sides said to a corpus.

    Attributes:
        counts: by category and then by status, how many texts.
        special: whether the added special tokens were compared, too.
        added: what the original and the port add around each text, as pieces before and after.
        stages: how many texts differ first in which stage, of at most 100 of each category.
        differences: some of the texts that differ, a few of each category.
        smallest: the shortest text found that still differs, one for each stage.
        noted: some differences that count for nothing, with the reason.
        skipped: reasons for which texts were left out, with how many.
        proof: the repair that was tried, if one mends anything.
    """

    renderer = "porting.report.tokenizers:render_parity"

    counts: Mapping[str, Mapping[str, int]]
    special: bool
    added: tuple[str, str]
    stages: Mapping[Stage, int]
    differences: tuple[Difference, ...]
    smallest: tuple[Difference, ...]
    noted: tuple[Difference, ...]
    skipped: Mapping[str, int]
    proof: Proof | None

    @property
    def compared(self) -> int:
        """Texts that count."""
        return self.total("equal") + self.total("different")

    @property
    def ok(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return bool(self.compared) and not self.total("different")

    @property
    def exit_code(self) -> int:
        """0 equal, 1 some differ, 3 nothing was compared."""
        return super().exit_code if self.compared else 3

    @property
    def stage(self) -> Stage | None:
        """The stage in which most of the texts differ first; that of a repair, if one mends all or nearly all."""
        most = max(self.stages.items(), key=lambda each: each[1])[0] if self.stages else None
        mends = self.proof is not None and self.proof.left * NEARLY < self.total("different")
        return self.proof.stage if self.proof is not None and (mends or most == "unknown") else most

    def total(self, status: str) -> int:
        """Texts of one status, of all categories."""
        return sum(count.get(status, 0) for count in self.counts.values())

    def summary(self) -> str:
        """The verdict, how many texts, and the stage."""
        if not self.compared:
            return "inconclusive: no text could be compared"
        if self.ok:
            return f"equal ids for all {self.compared} texts"
        found = f"other ids for {self.total('different')} of {self.compared} texts; first at stage: {self.stage}"
        return f"{found}{f' ({self.repair})' if self.repair else ''}"

    def failure_message(self) -> str:
        """The summary, the shortest text for each stage, and the categories in which texts differ."""
        lines = [self.summary(), "", "The shortest text that still differs, by stage:"]
        lines += [f"  {each.line()}" for each in self.smallest]
        lines.append("Texts that differ, by category:")
        for name, count in self.counts.items():
            if count["different"]:
                lines.append(f"  {show(name)}: {count['different']} of {count['different'] + count['equal']}")
        return "\n".join(lines)

    @property
    def repair(self) -> str:
        """The repair in words, with whether it is proven; empty if there is none."""
        if self.proof is None:
            return ""
        text = "; and ".join(each.summary for each in self.proof.repairs)
        return f"proven: {text}" if self.proof.proven else f"not proven: {text}; {self.proof.left} texts still differ"

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "schema": 1,
            "ok": self.ok,
            "compared": self.compared,
            **{status: self.total(status) for status in PLACES},
            "special_tokens_compared": self.special,
            "added": {"original": self.added[0], "ported": self.added[1]},
            "stage": self.stage,
            "stages": dict(self.stages),
            "repair": self._repair_dict(),
            "categories": {show(name): dict(count) for name, count in self.counts.items()},
            "differences": [each.to_dict() for each in self.differences],
            "smallest": [each.to_dict() for each in self.smallest],
            "noted": [each.to_dict() for each in self.noted],
            "skipped_because": dict(self.skipped),
        }

    def _repair_dict(self) -> dict[str, Any] | None:
        if self.proof is None:
            return None
        changes = [{"stage": each.stage, "change": each.summary} for each in self.proof.repairs]
        return {
            "proven": self.proof.proven, "changes": changes, "mended": self.proof.mended, "left": self.proof.left,
        }  # fmt: skip


def parity_of(
    compared: Compared, stages: Stages, original: OriginalTokenizer, ported: PortedTokenizer
) -> TokenizerParity:
    """What follows from both sides' answers: counts, stages, the smallest texts, the repair."""
    failing = compared.of("different")
    named = {pair.sample: stages.of(pair) for pair in _some(failing, MOST_NAMED)}
    count = Counter(named.values())
    proof = prove(ported, compared, stages.numbers, [stage for stage, _ in count.most_common()]) if failing else None
    noted = [difference_of(pair, stages, ported) for pair in _some(compared.of("noted"))]
    return TokenizerParity(
        counts=_counts(compared),
        special=compared.special,
        added=(_words(compared.original_added, ported), _words(compared.ported_added, ported)),
        stages={stage: count[stage] for stage in STAGES if count[stage]},
        differences=tuple(difference_of(pair, stages, ported) for pair in _some(failing)),
        smallest=tuple(_smallest(named, stages, compared, original, ported)),
        noted=tuple(noted),
        skipped=Counter(pair.original.error for pair in compared.of("skipped")),
        proof=proof,
    )


def _counts(compared: Compared) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for pair in compared.pairs:
        counts.setdefault(pair.sample.category, dict.fromkeys(PLACES, 0))[pair.status] += 1
    return counts


def _some(pairs: Sequence[Pair], most: int = MOST_SHOWN) -> list[Pair]:
    """A few of each category, the shortest."""
    shown: Counter[str] = Counter()
    chosen = []
    for pair in sorted(pairs, key=lambda each: len(each.sample.text)):
        if shown[pair.sample.category] < most:
            shown[pair.sample.category] += 1
            chosen.append(pair)
    return chosen


def _smallest(
    named: Mapping[Sample, Stage],
    stages: Stages,
    compared: Compared,
    original: OriginalTokenizer,
    ported: PortedTokenizer,
) -> list[Difference]:
    """For each stage the shortest text that still differs in it."""
    encode = ported.encode if compared.special else ported.encode_plain
    found = []
    for stage in dict.fromkeys(named.values()):
        texts = [sample for sample, each in named.items() if each == stage]
        start = min(texts, key=lambda sample: len(sample.text))

        def pair_of(text: str, category: str = start.category) -> Pair:
            return Pair(Sample(category, text), ask(original.encode, text), ask(encode, text))

        def differs(text: str, stage: Stage = stage) -> bool:
            pair = pair_of(text)
            return pair.status == "different" and stages.of(pair) == stage

        found.append(difference_of(pair_of(shortest(start.text, differs)), stages, ported))
    return found


def difference_of(pair: Pair, stages: Stages, ported: PortedTokenizer) -> Difference:
    """What is shown of one pair."""
    theirs, ours = pair.original.ids or (), pair.ported.ids or ()
    equal = [one == other for one, other in zip(theirs, ours, strict=False)]
    at = equal.index(False) if False in equal else len(equal)
    begin = max(at - 2, 0)
    one, other = (tuple(ported.piece(number) for number in ids[begin : begin + WINDOW]) for ids in (theirs, ours))
    reason = pair.reason or pair.ported.error
    return Difference(pair.sample.category, pair.sample.text, stages.of(pair), at, one, other, reason)


def _words(added: Added, ported: PortedTokenizer) -> str:
    """What is added in words: ``[CLS] … [SEP]``; empty if nothing is."""
    parts = [" ".join(ported.piece(number) for number in ids) for ids in (added.before, added.after)]
    return " … ".join(parts).strip() if added else ""
