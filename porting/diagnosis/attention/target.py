"""What an attention itself should give, found from the original's tensor at a place further on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch

from porting.diagnosis.attention.biases import is_open
from porting.diagnosis.attention.editing import Editor
from porting.diagnosis.attention.model import Attention, Part
from porting.diagnosis.attention.reading import Met
from porting.diagnosis.attention.replay import Replay
from porting.diagnosis.scene import Gap
from porting.noise.floor import FACTOR

STAGES = ("result", "weights", "scores")
MOST_POSITIONS = 8
DIGIT = 1 << 10
"""Places are numbered in digits, which floats of half precision hold exactly."""


@dataclass(frozen=True, slots=True)
class Target:
    """What one stage of an attention should be.

    Attributes:
        stage: ``result``, ``weights`` or ``scores``.
        right: as the original has it: (batch, heads, queries, ...).
        wrong: as the port has it.
        valid: what of it counts.
        part: a part of it that is enough to rule most edits out.
    """

    stage: str
    right: torch.Tensor
    wrong: torch.Tensor
    valid: torch.Tensor
    part: Part

    def missed(self, attention: Attention, gap: Gap) -> float:
        """How far a part of an attention is from the original: 1 and less is rounding."""
        right, valid = self.part.of(self.right), self.part.of(self.valid)
        off = _off(attention.at(self.stage, self.part), right, valid)
        return float(off.max()) / _allowed(gap, right) if off.numel() else math.inf

    def understands(self, attention: Attention, gap: Gap) -> bool:
        """Whether an attention computed anew is the port's, but for queries that see nothing."""
        sees = is_open(attention).any(-1, keepdim=True)
        off = _off(attention.at(self.stage), self.wrong, self.valid & sees)
        return float(off.max()) <= _allowed(gap, self.wrong)


def find_target(replay: Replay, at: int, attention: Attention) -> Target | None:
    """The right tensor of the last stage from which nothing but a change of places leads to the gap."""
    for stage in STAGES:
        keys = attention.shape()[3] if stage != "result" else attention.value.before.shape[-1]
        shape = (*attention.shape()[:3], keys)
        found = _places(replay, at, stage, shape)
        if found is not None:
            right, wrong = (_finite(_put(tensor, found, shape)) for tensor in (replay.gap.right, replay.gap.wrong))
            valid = replay.gap.valid
            counts = torch.ones(shape, dtype=torch.bool)
            counts = counts if valid is None else _put(valid.expand(replay.gap.right.shape), found, shape)
            return Target(stage, right, wrong, counts, _part(counts))
    return None


def _places(replay: Replay, at: int, stage: str, shape: tuple[int, ...]) -> torch.Tensor | None:
    """For each element at the gap, which element of a stage it is; None if it is more than that."""
    places = torch.arange(math.prod(shape)).reshape(shape)
    total = torch.zeros(places.numel(), dtype=torch.float64)
    for power in range(3 if places.numel() > DIGIT**2 else 2):
        digit = places // DIGIT**power % DIGIT
        seen = replay.run(Editor(replay.batch, at=at, substitute=partial(_numbered, stage=stage, digit=digit)))
        if seen is None or seen.numel() != total.numel() or not seen.is_floating_point():
            return None
        total += seen.double().flatten() * DIGIT**power
    return total.long() if torch.equal(total.sort().values, places.flatten().double()) else None


def _numbered(met: Met, stage: str, digit: torch.Tensor) -> torch.Tensor | None:
    return met.back(digit).to(met.tensor.dtype) if met.stage == stage else None


def _put(tensor: torch.Tensor, places: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    put = torch.empty_like(tensor.flatten())
    put[places] = tensor.flatten()
    return put.reshape(shape)


def _finite(tensor: torch.Tensor) -> torch.Tensor:
    """With the least number for minus infinity, which closes a position as well."""
    return tensor.clamp(min=torch.finfo(tensor.dtype).min)


def _part(valid: torch.Tensor) -> Part:
    batch, heads = valid.shape[:2]
    positions = valid.any(3).any(1).any(0).nonzero().flatten()
    spread = torch.linspace(0, len(positions) - 1, min(MOST_POSITIONS, len(positions))).long()
    chosen = torch.tensor(sorted({0, min(1, heads - 1), heads // 2, heads - 1}))
    return Part(torch.tensor(sorted({0, batch - 1})), chosen, positions[spread])


def _off(one: torch.Tensor, other: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    return torch.where(valid, (one - other).double().abs(), 0.0)


def _allowed(gap: Gap, tensor: torch.Tensor) -> float:
    """How much of a difference is rounding."""
    unit = torch.finfo(tensor.dtype).eps * float(tensor.abs().clamp(max=1e30).max())
    return FACTOR * max(gap.floor.max_abs, 4 * unit)
