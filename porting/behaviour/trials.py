"""One model on two inputs of which what it returns should be the same, place by place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from porting.behaviour.agreement import Agreement, agree
from porting.behaviour.material import Material, Tensors
from porting.behaviour.subject import Subject
from porting.errors import PortingError
from porting.probes.deriving import Underivable
from porting.runs import Inputs

CARRIED = re.compile(r"(past|cache|mems|memory|states?)([._]|$)")
"""Results by name that are for a next call, as caches and states: they hold what was seen, padding included."""

Match = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor] | None]
"""The parts of a tensor of each run that should be the same; None if there are none."""


@dataclass(frozen=True)
class Trial:
    """Two inputs, and what of the results should agree.

    Attributes:
        what: in words, as in "a row alone against the same row in its batch".
        base: the reference, tensors of the port.
        other: what is held against it.
        match: of a tensor of each run.
        valid: bool (batch, sequence) of what counts in the matched parts; None: everything.
        told_by: the name of the input that tells the two apart for the model, as a mask; empty if none has to.
        carried: whether what is for a next call has to agree, too.
    """

    what: str
    base: Tensors
    other: Tensors
    match: Match
    valid: torch.Tensor | None = None
    told_by: str = ""
    carried: bool = False

    def run(self, subject: Subject, base: Inputs, other: Inputs) -> Agreement:
        """Run a model on both inputs.

        Raises:
            CaptureError: its forward raised.
        """
        expected, found = subject.outputs(base), subject.outputs(other)
        pairs = {
            name: pair
            for name, tensor in expected.items()
            if name in found
            and (self.carried or not CARRIED.match(name))
            and (pair := self.match(tensor, found[name])) is not None
        }
        left = {name: pair[0] for name, pair in pairs.items()}
        return agree(left, {name: pair[1] for name, pair in pairs.items()}, subject.allowance, self.valid)

    def run_ported(self, subject: Subject, material: Material) -> Agreement:
        """Run the port on both inputs.

        Raises:
            CaptureError: its forward raised.
        """
        return self.run(subject, material.inputs(self.base), material.inputs(self.other))

    def run_original(self, subject: Subject, material: Material) -> Agreement:
        """Run the original on the same.

        Raises:
            Underivable: it cannot be given the same, or its forward raised; the text says why.
        """
        inputs = [material.original_inputs(tensors) for tensors in (self.base, self.other)]
        told = not self.told_by or material.passed_on(self.told_by)
        try:
            agreement = self.run(subject, *inputs)
        except PortingError as error:
            raise Underivable(error.message) from None
        if not told and (agreement.wrong or inputs_equal(*inputs)):
            raise Underivable(f"it is given nothing that says what {self.told_by} says")
        return agreement


def inputs_equal(one: Inputs, other: Inputs) -> bool:
    """Whether all tensors of two inputs are the same."""
    left, right = one.named(), other.named()
    tensors = [name for name, value in left.items() if isinstance(value, torch.Tensor)]
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in tensors)


def same_places(one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The whole tensors, where they have one shape."""
    return (one, other) if one.shape == other.shape else None


def row_of(number: int, rows: int) -> Match:
    """Matches a row of a batch of so many with what comes for it alone, also where rows lie one after the other."""
    return partial(_row, number, rows)


def rows_in_order(order: list[int]) -> Match:
    """Matches the rows of a batch with those of the same rows in another order.

    Tensors of which another axis is as long, as similarities of all rows, are left out.
    """

    def match(one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        rows = one.shape[:1] == (len(order),) and len(order) not in one.shape[1:]
        return (one[order], other) if rows and one.shape == other.shape else None

    return match


def part_of(length: int, longer: int, start: int, *, whole: bool) -> Match:
    """Matches what comes for a text with its part of what comes for a longer one.

    Args:
        length: of the text.
        longer: of the longer one.
        start: where the text begins in it.
        whole: also match tensors without an axis of that length, which should not have changed.
    """
    return partial(_part, length, longer, start, whole)


def _row(number: int, rows: int, one: torch.Tensor, alone: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    axes = [axis for axis in range(one.dim()) if alone.dim() == one.dim() and one.shape[axis] != alone.shape[axis]]
    if len(axes) != 1 or one.shape[axes[0]] != rows * alone.shape[axes[0]]:
        return None
    size = alone.shape[axes[0]]
    return one.narrow(axes[0], number * size, size), alone


def _part(
    length: int, longer: int, start: int, whole: bool, one: torch.Tensor, other: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor] | None:
    if one.dim() != other.dim():
        return None
    axes = [axis for axis in range(one.dim()) if one.shape[axis] != other.shape[axis]]
    if any((one.shape[axis], other.shape[axis]) != (length, longer) for axis in axes) or not (axes or whole):
        return None
    for axis in axes:
        other = other.narrow(axis, start, length)
    return one, other
