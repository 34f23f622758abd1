"""Which other tensor of the checkpoint a tensor of the model holds, in whole or by its rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import torch

from porting.weights.audit.arithmetic import narrow, rounded
from porting.weights.audit.misplaced import found_in
from porting.weights.audit.orders import index_words
from porting.weights.audit.rearranged import rearrangement, same
from porting.weights.audit.relation import Place
from porting.weights.audit.signatures import prefixes, telling, total
from porting.weights.report import Spec
from porting.weights.rules.steps import Read, Step

FEWEST = 8
"""Elements below which a row, or a vector cut from another, says nothing."""


class Candidate(NamedTuple):
    """One tensor that the checkpoint has, or that the rules make of it.

    Attributes:
        name: the model's for it; empty for what the rules give no place.
        part: which of the step's targets it is.
        step: how it is made.
    """

    name: str
    part: str
    step: Step

    @property
    def spec(self) -> Spec:
        """Its dtype and shape."""
        return self.step.result(self.part)


class Held(NamedTuple):
    """What was found in a tensor of the model.

    Attributes:
        candidate: whose data it is.
        words: how, where it is not plainly all of it.
        is_whole: whether it is all of it.
    """

    candidate: Candidate
    words: str = ""
    is_whole: bool = True


@dataclass
class Sought:
    """A tensor of the model that does not hold what it should.

    Attributes:
        place: which it is.
        tensor: its data.
        wrong: which of its rows are wrong.
        found: what it holds.
    """

    place: Place
    tensor: torch.Tensor
    wrong: torch.Tensor
    found: list[Held] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.casts = ["", *narrow(self.tensor)]
        self.total = total(self.tensor)
        long = self.tensor.dim() > 0 and len(self.wrong) > 1 and self.tensor[0].numel() * len(self.wrong) >= FEWEST
        self.rows = prefixes(self.tensor, 0)[self.wrong] if long else None

    def look(self, candidate: Candidate, seen: Seen) -> None:
        """Note it if the candidate's data is what the model holds."""
        for cast in self.casts:
            if (held := self._whole(candidate, seen, cast) or self._rows(candidate, seen, cast)) is not None:
                self.found.append(held)
                return

    def _whole(self, candidate: Candidate, seen: Seen, cast: str) -> Held | None:
        if seen.tensor.numel() != self.tensor.numel() or seen.total(self.tensor.dtype, cast) != self.total:
            return None
        words = [f"rounded to {cast}"] if cast else []
        given = seen.given(self.tensor.dtype, cast)
        if not same(self.tensor, given):
            relation = rearrangement(self.place, self.tensor, given)
            if relation is None:
                return None
            words.insert(0, relation.words.replace("the checkpoint's", "that"))
        return Held(candidate, "; ".join(words))

    def _rows(self, candidate: Candidate, seen: Seen, cast: str) -> Held | None:
        if self.rows is None or seen.tensor.dim() != self.tensor.dim() or len(seen.tensor) < 2:
            return None
        if seen.tensor.shape[1:] != self.tensor.shape[1:]:
            return None
        rows = seen.rows(self.tensor.dtype, cast)
        if not (rows == self.rows[0]).any() or not torch.isin(self.rows, rows).all():
            return None
        taken = found_in(rows, self.rows)
        run = bool((taken.diff() == 1).all())
        if bool((self.rows == self.rows[0]).all()) or (self.tensor.dim() == 1 and not run):
            return None
        if not same(self.tensor[self.wrong], seen.given(self.tensor.dtype, cast)[taken]):
            return None
        what = "rows" if self.tensor.dim() > 1 else "elements"
        mine = "" if len(self.wrong) == len(self.tensor) else f"in its {what} {index_words(self.wrong)} "
        return Held(candidate, f"{mine}{what} {index_words(taken)}", is_whole=False)


class Seen:
    """A candidate's data as it was read, and its signatures in each dtype in which they were asked for, once."""

    def __init__(self, tensor: torch.Tensor) -> None:
        """Keep the data."""
        self.tensor = tensor
        self.given = cache(self._given)
        self.total = cache(lambda dtype, cast: total(self.given(dtype, cast)))
        self.rows = cache(lambda dtype, cast: prefixes(self.given(dtype, cast), 0))

    def _given(self, dtype: torch.dtype, cast: str) -> torch.Tensor:
        plain = self.tensor.to(dtype)
        return rounded(plain, cast) if cast else plain


def search(sought: Sequence[Sought], candidates: Iterable[Candidate], read: Read) -> None:
    """Look for what tensors of the model hold, and note it in each; every candidate is read at most once.

    What has few different elements is not looked for: it tells nothing.
    """
    sought = [each for each in sought if telling(each.tensor)]
    sizes = {each.tensor.numel() for each in sought}
    rows = {tuple(each.tensor.shape[1:]) for each in sought if each.rows is not None}
    for candidate, tensor in _read(candidates, read, sizes, rows):
        seen = Seen(tensor)
        for each in sought:
            fits = tensor.numel() == each.tensor.numel() or tensor.shape[1:] == each.tensor.shape[1:]
            own = candidate.name == each.place.name and tensor.shape == each.tensor.shape
            if fits and not own and tensor.is_complex() == each.tensor.is_complex():
                each.look(candidate, seen)


def _read(
    candidates: Iterable[Candidate], read: Read, sizes: set[int], rows: set[tuple[int, ...]]
) -> Iterator[tuple[Candidate, torch.Tensor]]:
    wanted = (each for each in candidates if math.prod(each.spec.shape) in sizes or each.spec.shape[1:] in rows)
    for candidate, tensor in read_all(wanted, read):
        if not tensor.is_meta:
            yield candidate, tensor


def read_all(candidates: Iterable[Candidate], read: Read) -> Iterator[tuple[Candidate, torch.Tensor]]:
    """Each with its data; neighbours that one step makes are made at once."""
    step: Step | None = None
    results: dict[str, torch.Tensor] = {}
    for candidate in candidates:
        if candidate.step is not step:
            step, results = candidate.step, candidate.step.run(read)
        yield candidate, results[candidate.part]
