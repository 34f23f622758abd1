"""Repairs tried on a copy of the port: one counts as proven if under it every text agrees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porting.tokenizers.bank import MODEL_SETTINGS, Repair, bank, control_repairs, set_in_model
from porting.tokenizers.comparing import Compared, Pair
from porting.tokenizers.corpus import CONTROL, OTHERS
from porting.tokenizers.exchanged import renamed
from porting.tokenizers.outside import mended, outside_repairs
from porting.tokenizers.sides import Answer, PortedTokenizer, ask
from porting.tokenizers.stages import STAGES, Stage

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SHORT = 400
EACH, MOST = 3, 120
"""Texts of a category, and of all, on which repairs are tried first."""
WORSE = 2
"""A text that a repair breaks counts as this many that it mends."""
MOST_TOKENS = 3
MOST_TOGETHER = 3
"""Repairs that are tried one upon the other."""
SECONDS = 10.0
NOTHING = Repair("unknown", "nothing more", lambda tokenizer: tokenizer)


@dataclass(frozen=True)
class Proof:
    """Repairs made together, and what came of it.

    Attributes:
        repairs: in the order in which they were found, that which mends most first.
        mended: texts that differ without them and agree under them.
        left: texts that still differ.
    """

    repairs: tuple[Repair, ...]
    mended: int
    left: int

    @property
    def proven(self) -> bool:
        """Whether all texts agree under them."""
        return bool(self.repairs) and not self.left

    @property
    def stage(self) -> Stage:
        """The first stage that they change; where they are not proven, that of the one that mends most."""
        return (
            min((repair.stage for repair in self.repairs), key=STAGES.index) if self.proven else self.repairs[0].stage
        )


class Trials:
    """A copy of the port's backend on which repairs are tried.

    Args:
        ported: the port.
        compared: both sides on the corpus.
    """

    def __init__(self, ported: PortedTokenizer, compared: Compared) -> None:
        assert ported.backend is not None
        self._compared = compared
        self._copy: Tokenizer = type(ported.backend).from_str(ported.backend.to_str())
        self._copy.no_truncation()
        self._copy.no_padding()
        self._copy.encode_special_tokens = ported.backend.encode_special_tokens
        self._made: list[Repair] = []

    def faithful(self, pairs: Sequence[Pair]) -> bool:
        """Whether the copy gives the port's own ids, so that its class does nothing beside its backend."""
        return all(self._ids(self._copy, pair) == pair.ported.ids for pair in pairs if pair.ported.ids is not None)

    def mended_by(self, repair: Repair, pairs: Sequence[Pair]) -> int:
        """How many pairs agree under the repairs made so far and this one; -1 if it cannot be made."""
        with self._restored():
            try:
                tokenizer = self._copy
                for each in (*self._made, repair):
                    tokenizer = each.change(tokenizer)
            except Exception:  # a change that does not fit this tokenizer is none
                return -1
            return sum(self._agrees(tokenizer, pair, repair) for pair in pairs)

    def keep(self, repair: Repair) -> None:
        """Have the next ones tried on top of this one."""
        self._made.append(repair)

    def _agrees(self, tokenizer: Tokenizer, pair: Pair, repair: Repair) -> bool:
        ids = self._ids(tokenizer, pair)
        for each in (*self._made, repair):
            ids = ids if ids is None or not each.numbers else renamed(ids, each.numbers)
        return ids == pair.original.ids

    def _ids(self, tokenizer: Tokenizer, pair: Pair) -> tuple[int, ...] | None:
        answer: Answer = ask(
            lambda text: tokenizer.encode(text, add_special_tokens=self._compared.special).ids, pair.sample.text
        )
        return answer.ids

    @contextmanager
    def _restored(self) -> Iterator[None]:
        copied = self._copy
        model = copied.model
        stages = {name: getattr(copied, name) for name in ("normalizer", "pre_tokenizer", "post_processor")}
        settings = {name: getattr(model, name) for name in (*MODEL_SETTINGS, "unk_token") if hasattr(model, name)}
        split = copied.encode_special_tokens
        try:
            yield
        finally:
            set_in_model(model, settings)
            copied.model = model
            for name, value in stages.items():
                setattr(copied, name, value)
            copied.encode_special_tokens = split


def prove(
    ported: PortedTokenizer, compared: Compared, numbers: Mapping[int, int], stages: Sequence[Stage]
) -> Proof | None:
    """Look for the repairs under which both sides agree; None if nothing mends anything.

    Args:
        ported: the port.
        compared: both sides on the corpus.
        numbers: the port's ids that the original numbers otherwise.
        stages: of the texts that differ, the most frequent first: their repairs are preferred.
    """
    failing = _few(compared.of("different"))
    if not failing:
        return None
    trials = None if ported.backend is None else Trials(ported, compared)
    passing = _few(compared.of("equal"))
    if trials is None or not trials.faithful([*failing, *passing]):
        return _from_outside(ported, compared, numbers, failing, passing)
    repairs = _repairs(ported, compared, numbers, failing)
    repairs.sort(key=lambda each: (each.rank, stages.index(each.stage) if each.stage in stages else len(stages)))
    found = _greedy(trials, repairs, failing, passing)
    if not found:
        return None
    return _proof(found, compared, lambda pairs: trials.mended_by(NOTHING, pairs))


def _proof(repairs: Sequence[Repair], compared: Compared, agreeing: Callable[[Sequence[Pair]], int]) -> Proof | None:
    """What repairs come to on the whole corpus; None if most of the texts that differ still do."""
    differing, equal = compared.of("different"), compared.of("equal")
    count = agreeing(differing)
    left = len(differing) - count + len(equal) - agreeing(equal)
    return Proof(tuple(repairs), count, left) if 2 * left < len(differing) else None


def _from_outside(
    ported: PortedTokenizer,
    compared: Compared,
    numbers: Mapping[int, int],
    failing: Sequence[Pair],
    passing: Sequence[Pair],
) -> Proof | None:
    """The one change to what goes in or comes out that mends most, less what it breaks."""
    best, chosen = 0, None
    for repair, encode in outside_repairs(ported, compared, numbers):
        score = mended(encode, failing)
        score -= WORSE * (len(passing) - mended(encode, passing)) if score > best else 0
        if score > best:
            best, chosen = score, (repair, encode)
    if chosen is None:
        return None
    repair, encode = chosen
    return _proof([repair], compared, lambda pairs: mended(encode, pairs))


def _repairs(
    ported: PortedTokenizer, compared: Compared, numbers: Mapping[int, int], failing: Sequence[Pair]
) -> list[Repair]:
    """What is worth trying; of texts that differ by control tokens alone, what finds those."""
    found = list(control_repairs(ported, _control_tokens(ported, failing)))
    alone = all(pair.sample.category in (CONTROL, OTHERS) for pair in failing)
    more = bank(ported, compared.original_added, numbers)
    return found + [repair for repair in more if not alone or repair.stage in ("special tokens", "vocabulary")]


def _greedy(trials: Trials, repairs: Iterable[Repair], failing: list[Pair], passing: list[Pair]) -> list[Repair]:
    """The repair that mends most, less what it breaks; then the next on top of it."""
    until = time.perf_counter() + SECONDS
    found: list[Repair] = []
    candidates = list(repairs)
    best = 0
    while best < len(failing) and len(found) < MOST_TOGETHER:
        scored: list[tuple[int, Repair]] = []
        for repair in candidates:
            count = trials.mended_by(repair, failing) if time.perf_counter() < until else 0
            if count <= best:
                continue
            score = count - WORSE * (len(passing) - trials.mended_by(repair, passing))
            if score > best:
                scored.append((score, repair))
            if score == len(failing):
                break
        if not scored:
            break
        best, chosen = max(scored, key=lambda each: each[0])
        trials.keep(chosen)
        found.append(chosen)
        candidates.remove(chosen)
    return found


def _few(pairs: Sequence[Pair]) -> list[Pair]:
    """Some pairs of every category, the short ones."""
    counts: dict[str, int] = {}
    chosen = []
    for pair in sorted(pairs, key=lambda each: len(each.sample.text)):
        count = counts.get(pair.sample.category, 0)
        if len(pair.sample.text) <= SHORT and count < EACH:
            counts[pair.sample.category] = count + 1
            chosen.append(pair)
    return chosen[:MOST] or sorted(pairs, key=lambda each: len(each.sample.text))[:1]


def _control_tokens(ported: PortedTokenizer, failing: Sequence[Pair]) -> list[str]:
    """Control tokens of texts that differ: the port's own, then those that only the original has, by its ids."""
    pairs = [pair for pair in failing if pair.sample.category in (CONTROL, OTHERS)]
    own = [token for token in ported.control_tokens if any(token in pair.sample.text for pair in pairs)]
    others = [pair for pair in pairs if pair.sample.category == OTHERS]
    others.sort(key=lambda pair: max(pair.original.ids or (0,)))
    return own[:MOST_TOKENS] + [pair.sample.text for pair in others]
