"""Whether an edit of a module's attention gives the original's tensor, found out without running the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from porting.comparison import compare_tensors
from porting.diagnosis.attention.clues import Clues, clues_of
from porting.diagnosis.attention.model import Attention, Edit, Part
from porting.diagnosis.attention.reading import Met
from porting.diagnosis.attention.replay import Editor, Replay
from porting.diagnosis.cause import Case
from porting.diagnosis.scene import Gap
from porting.noise.floor import FACTOR
from porting.tolerance import Tolerance

MOST_ATTENTIONS = 6
MOST_POSITIONS = 8
DIGIT = 1 << 10
"""Places are numbered in two digits, which every float dtype holds exactly."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the attention's own result should be: (batch, heads, queries, channels), and what of it counts."""

    right: torch.Tensor
    valid: torch.Tensor
    part: Part


@dataclass(frozen=True, slots=True)
class Bench:
    """One attention of a culprit, on one call's tensors.

    Attributes:
        replay: of the call.
        at: which of the call's attentions it is.
        attention: as the port computes it.
        target: what it should give; None if that cannot be told from the tensor at the gap.
        clues: what else is known there.
    """

    replay: Replay
    at: int
    attention: Attention
    target: Target | None
    clues: Clues

    def misses(self, edit: Edit, *, whole: bool = False) -> float:
        """How far an edit is from the original: 1 and less is rounding, infinite if it cannot be computed."""
        try:
            attention = edit.change(self.attention)
            if self.target is None:
                return self._missed_at_gap(edit)
            return self._missed(attention, self.target, None if whole else self.target.part)
        except (RuntimeError, IndexError, ValueError, ZeroDivisionError):
            return math.inf

    def _missed(self, attention: Attention, target: Target, part: Part | None) -> float:
        right, valid = (t if part is None else part.of(t) for t in (target.right, target.valid))
        off = torch.where(valid, (attention.result(part) - right).double().abs(), 0.0)
        allowed = FACTOR * max(
            self.replay.gap.floor.max_abs, 4 * torch.finfo(right.dtype).eps * float(right.abs().max())
        )
        return float(off.max()) / allowed if off.numel() else math.inf

    def _missed_at_gap(self, edit: Edit) -> float:
        seen = self.replay.run(Editor(self.replay.batch, edit.change, self.at))
        return math.inf if seen is None else missed(self.replay.gap, seen, self.replay.gap.right)


def benches_of(case: Case, batch: int) -> Iterator[Bench]:
    """The attentions that have a part in where a culprit goes wrong, and that are understood."""
    for gap in case.gaps[:2]:
        replay = Replay(case.model, case.moment(gap), gap, batch)
        editor, clues = Editor(batch), clues_of(case, gap)
        seen = replay.run(editor)
        if seen is None or not editor.met or missed(gap, seen, gap.wrong) > 1:
            continue
        found = [(at, met.attention) for at, met in enumerate(editor.met[:MOST_ATTENTIONS]) if met is not None]
        benches = [
            bench for at, attention in found if (bench := _bench(replay, at, attention, seen, clues)) is not None
        ]
        if benches:
            yield from benches
            return


def missed(gap: Gap, seen: torch.Tensor, wanted: torch.Tensor) -> float:
    """How far a tensor at a gap is from another one, in multiples of what counts as rounding."""
    if seen.shape != wanted.shape:
        return math.inf
    numbers = compare_tensors(wanted, seen, Tolerance(), gap.valid)
    return (gap.floor.ratio(numbers) or 0.0) / FACTOR


def _bench(replay: Replay, at: int, attention: Attention, seen: torch.Tensor, clues: Clues) -> Bench | None:
    """A bench, if computing the attention anew gives what the port has, and the gap depends on it."""
    again = replay.run(Editor(replay.batch, lambda same: same, at))
    without = replay.run(Editor(replay.batch, at=at, substitute=lambda met: torch.zeros_like(met.result)))
    if again is None or without is None or missed(replay.gap, again, replay.gap.wrong) > 1:
        return None
    return None if torch.equal(without, seen) else Bench(replay, at, attention, _target(replay, at, attention), clues)


def _target(replay: Replay, at: int, attention: Attention) -> Target | None:
    """The right result of the attention itself, where nothing but a change of places lies between it and the gap."""
    shape = (*attention.shape()[:3], attention.value.before.shape[-1])
    places = torch.arange(math.prod(shape)).reshape(shape)
    gap = replay.gap
    low = replay.run(Editor(replay.batch, at=at, substitute=lambda met: _numbered(met, places % DIGIT)))
    high = replay.run(Editor(replay.batch, at=at, substitute=lambda met: _numbered(met, places // DIGIT)))
    if low is None or high is None or low.shape != gap.right.shape or not low.is_floating_point():
        return None
    found = (low.double() + DIGIT * high.double()).flatten()
    if not torch.equal(found.sort().values, places.flatten().double()):
        return None
    right, valid = torch.empty(places.numel(), dtype=gap.right.dtype), torch.ones(places.numel(), dtype=torch.bool)
    right[found.long()] = gap.right.flatten()
    if gap.valid is not None:
        valid[found.long()] = gap.valid.expand(gap.right.shape).flatten()
    return Target(right.reshape(shape), valid.reshape(shape), _part(valid.reshape(shape)))


def _numbered(met: Met, places: torch.Tensor) -> torch.Tensor:
    return met.back(places).to(met.result.dtype)


def _part(valid: torch.Tensor) -> Part:
    batch, heads = valid.shape[:2]
    positions = valid.any(3).any(1).any(0).nonzero().flatten()
    spread = torch.linspace(0, len(positions) - 1, min(MOST_POSITIONS, len(positions))).long()
    chosen = torch.tensor(sorted({0, min(1, heads - 1), heads // 2, heads - 1}))
    return Part(torch.tensor(sorted({0, batch - 1})), chosen, positions[spread])
