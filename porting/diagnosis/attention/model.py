"""Attention as a computation whose parts can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from porting.diagnosis.attention.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Side:
    """Queries, keys or values: what they were made from, and how.

    Attributes:
        before: (batch, heads, length, channels) as projected, heads not yet repeated.
        turn: the rotation, None if there is none.
        gain: what they are multiplied by.
        heads: how many there are after repetition.
        order: how they are repeated: ``interleave`` (each in turn) or ``tile`` (all of them again).
        used: what the port's own computation ended in; None once anything else is changed.
        holders: the port's tensors that hold the same with heads not repeated, as a cache does.
    """

    before: torch.Tensor
    turn: Rotation | None
    gain: float
    heads: int
    order: str = "interleave"
    used: torch.Tensor | None = None
    holders: tuple[torch.Tensor, ...] = ()

    def single(self) -> torch.Tensor:
        """(batch, heads not yet repeated, length, channels) as they are multiplied."""
        result = self.before if self.turn is None else self.turn.apply(self.before)
        return result if self.gain == 1 else result * self.gain

    def tensor(self) -> torch.Tensor:
        """(batch, heads, length, channels) as they are multiplied."""
        if self.used is not None:
            return self.used
        return repeated(self.single(), self.heads, self.order)

    def but(self, **changed: Any) -> Side:
        """The same with something changed."""
        return replace(self, used=None, **changed)


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the places of an attention's result: batch rows, heads and query positions."""

    rows: torch.Tensor
    heads: torch.Tensor
    positions: torch.Tensor

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """That part of (batch, heads, length, channels)."""
        return tensor[self.rows][:, self.heads][:, :, self.positions]


@dataclass(frozen=True, slots=True)
class Attention:
    """One attention.

    Attributes:
        query: its queries.
        key: its keys.
        value: its values.
        scale: of the products of queries and keys.
        bias: added to the scores; broadcast to (batch, heads, queries, keys).
        cap: scores are cap * tanh(scores / cap), before the bias; None: they are not.
        axis: of the softmax.
        dtype: in which the softmax is computed.
        opaque: whether the bias holds what is not understood: neither scale, cap, mask nor a tensor added.
        regroup: applied to the result of (batch, heads, length, channels).
    """

    query: Side
    key: Side
    value: Side
    scale: float
    bias: torch.Tensor | None
    cap: float | None
    axis: int
    dtype: torch.dtype
    opaque: bool = False
    regroup: Callable[[torch.Tensor], torch.Tensor] | None = None

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        """Queries, keys and values."""
        return self.query, self.key, self.value

    @property
    def total_scale(self) -> float:
        """By which the scores of the projected queries and keys are multiplied in all."""
        return self.scale * self.query.gain * self.key.gain

    def but(self, **changed: Any) -> Attention:
        """The same with something changed."""
        return replace(self, **changed)

    def shape(self) -> tuple[int, int, int, int]:
        """Batch, heads, queries, keys."""
        batch, heads, length = self.query.before.shape[0], self.query.heads, self.query.before.shape[2]
        return batch, heads, length, self.key.before.shape[2]

    def scores(self, part: Part | None = None) -> torch.Tensor:
        """What the softmax is given: (batch, heads, queries, keys)."""
        query, key, _ = self._tensors(part)
        scores = query @ key.transpose(-1, -2) * self.scale
        scores = scores if self.cap is None else self.cap * torch.tanh(scores / self.cap)
        if self.bias is None:
            return scores
        bias = self.bias if part is None else part.of(self.bias.expand(self.shape()))
        return (scores + bias).clamp(min=torch.finfo(scores.dtype).min)

    def weights(self, part: Part | None = None) -> torch.Tensor:
        """What each query takes from each key: (batch, heads, queries, keys)."""
        if self.axis != -1 and part is not None:
            return part.of(self.weights())
        scores = self.scores(part)
        return scores.to(self.dtype).softmax(self.axis).to(self.query.before.dtype)

    def result(self, part: Part | None = None) -> torch.Tensor:
        """(batch, heads, queries, channels), or a part of it."""
        if part is not None and (self.axis != -1 or self.regroup is not None):
            return part.of(self.result())
        mixed = self.weights(part) @ self._tensors(part)[2]
        return mixed if self.regroup is None else self.regroup(mixed)

    def at(self, stage: str, part: Part | None = None) -> torch.Tensor:
        """The ``scores``, ``weights`` or ``result``."""
        made: torch.Tensor = getattr(self, stage)(part)
        return made

    def _tensors(self, part: Part | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        query, key, value = (side.tensor() for side in self.sides)
        if part is None:
            return query, key, value
        return part.of(query), key[part.rows][:, part.heads], value[part.rows][:, part.heads]


def repeated(tensor: torch.Tensor, heads: int, order: str) -> torch.Tensor:
    """Heads repeated up to a number."""
    times = heads // tensor.shape[1]
    if times <= 1:
        return tensor
    return tensor.repeat_interleave(times, 1) if order == "interleave" else tensor.repeat(1, times, 1, 1)


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing about an attention changed.

    Attributes:
        code: of the cause that it would be.
        summary: what is wrong, in one sentence: the port first, then the original.
        fix: what the contributor should change.
        change: from the port's attention to the original's.
    """

    code: str
    summary: str
    fix: str
    change: Callable[[Attention], Attention]
