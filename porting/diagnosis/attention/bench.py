"""Whether an edit of a module's attention gives the original's tensor, found out without running the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from porting.comparison import compare_tensors
from porting.diagnosis.attention.clues import Clues, clues_of
from porting.diagnosis.attention.editing import Change, Editor
from porting.diagnosis.attention.model import Attention
from porting.diagnosis.attention.replay import Replay
from porting.diagnosis.attention.target import Target, find_target
from porting.diagnosis.cause import Case
from porting.diagnosis.scene import Gap
from porting.noise.floor import FACTOR
from porting.tolerance import Tolerance

MOST_ATTENTIONS = 6
MOST_GAPS = 3
LEAST_REPLAYS = 48
MOST_ELEMENTS = 1 << 26
"""Scores that are computed in all by replays of one attention."""


@dataclass(slots=True)
class Allowance:
    """How many more times something may be done."""

    left: int

    @classmethod
    def of(cls, attention: Attention) -> Allowance:
        """Replays of an attention: fewer of a larger one."""
        return cls(max(LEAST_REPLAYS, MOST_ELEMENTS // math.prod(attention.shape())))

    def exhausted(self) -> bool:
        """Take one; whether there was none left."""
        self.left -= 1
        return self.left < 0


@dataclass(frozen=True, slots=True)
class Bench:
    """One attention of a culprit, on one call's tensors.

    Attributes:
        replay: of the call.
        at: which of the call's attentions it is.
        attention: as the port computes it.
        target: what it should give; None if that cannot be told from the tensor at the gap.
        clues: what else is known there.
        replays: how often the call may be made again where there is no target.
    """

    replay: Replay
    at: int
    attention: Attention
    target: Target | None
    clues: Clues
    replays: Allowance

    def misses(self, change: Change) -> float:
        """How far a change is from the original: 1 and less is rounding, infinite if it cannot be computed."""
        try:
            if self.target is None:
                if self.replays.exhausted():
                    return math.inf
                seen = self.replay.run(Editor(self.replay.batch, change, self.at))
                return math.inf if seen is None else missed(self.replay.gap, seen, self.replay.gap.right)
            return self.target.missed(change(self.attention), self.replay.gap)
        except (RuntimeError, IndexError, ValueError, ZeroDivisionError):
            return math.inf


def benches_of(case: Case, batch: int) -> Iterator[Bench]:
    """The attentions that have a part in where a culprit goes wrong, and that are understood."""
    for gap in case.gaps[:MOST_GAPS]:
        replay = Replay(case.model, case.moment(gap), gap, batch)
        editor = Editor(batch)
        seen = replay.run(editor)
        if seen is None or not any(editor.met) or missed(gap, seen, gap.wrong) > 1:
            continue
        clues, found = clues_of(case, gap), list(enumerate(editor.met[:MOST_ATTENTIONS]))
        benches = [_bench(replay, at, met.attention, seen, clues) for at, met in found if met is not None]
        if any(benches):
            yield from (bench for bench in benches if bench is not None)
            return


def missed(gap: Gap, seen: torch.Tensor, wanted: torch.Tensor) -> float:
    """How far a tensor at a gap is from another one, in multiples of what counts as rounding."""
    if seen.shape != wanted.shape:
        return math.inf
    numbers = compare_tensors(wanted, seen, Tolerance(), gap.valid)
    return (gap.floor.ratio(numbers) or 0.0) / FACTOR


def _bench(replay: Replay, at: int, attention: Attention, seen: torch.Tensor, clues: Clues) -> Bench | None:
    """A bench, if computing the attention anew gives what the port has, and the gap depends on it."""
    without = replay.run(Editor(replay.batch, at=at, substitute=lambda met: torch.zeros_like(met.tensor)))
    if without is None or torch.equal(without, seen):
        return None
    target = find_target(replay, at, attention)
    if target is not None:
        understood = target.understands(attention, replay.gap)
    else:
        again = replay.run(Editor(replay.batch, lambda same: same, at))
        understood = again is not None and missed(replay.gap, again, replay.gap.wrong) <= 1
    return Bench(replay, at, attention, target, clues, Allowance.of(attention)) if understood else None
