"""Answers of pipelines and of direct calls, in one form, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question was answered.

    Attributes:
        values: numbers, such as scores or features; None for a text or tokens.
        keys: which of the numbers they are, where only some are given.
        tokens: that were generated.
        text: that was recognised.
    """

    values: np.ndarray | None = None
    keys: np.ndarray | None = None
    tokens: tuple[int, ...] | None = None
    text: str | None = None

    def difference(self, other: Answer) -> float:
        """The largest difference of this answer, which has all numbers, to another, which may have some; infinite
        where they are of other shapes, lengths, tokens or texts, or NaN and Inf are elsewhere.
        """
        if self.values is None or other.values is None:
            same = self.text == other.text and self.tokens == other.tokens
            return 0.0 if same else float("inf")
        if other.keys is not None and np.max(other.keys, initial=0) >= len(self.values):
            return float("inf")
        values = self.values if other.keys is None else self.values[other.keys]
        if values.shape != other.values.shape:
            return float("inf")
        one, two = values.astype(np.float64), other.values.astype(np.float64)
        finite = np.isfinite(one) & np.isfinite(two)
        if not np.array_equal(one[~finite], two[~finite], equal_nan=True):
            return float("inf")
        return float(np.max(np.abs(one[finite] - two[finite]), initial=0.0))

    def parting(self, other: Answer) -> int | None:
        """The number of the first token that differs; None if there are no tokens, or no such."""
        if self.tokens is None or other.tokens is None:
            return None
        pairs = enumerate(zip(self.tokens, other.tokens, strict=False))
        return next((place for place, (one, two) in pairs if one != two), None)

    def within(self, other: Answer) -> Answer:
        """The part of another answer's features that are not padding: those of this length that agree best."""
        if self.values is None or other.values is None or other.keys is not None:
            return other
        length = self.values.shape[0]
        if self.values.ndim < 2 or other.values.ndim != self.values.ndim or other.values.shape[0] <= length:
            return other
        ends = (Answer(other.values[:length]), Answer(other.values[-length:]))
        return min(ends, key=self.difference)
