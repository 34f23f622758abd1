"""A tensor as a function of another one, or as such a function times a third: gated and plain activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations, product

import torch

from porting.diagnosis.modules.functions import Elementwise, recognised
from porting.diagnosis.modules.results import explains, reproduces
from porting.diagnosis.scene import Gap
from porting.noise.floor import FACTOR

SAMPLE = 256
"""Elements looked at first; only what fits there is computed in full."""
MOST_TENSORS = 16
"""Tensors that are combined at one place, the latest ones."""
Known = Mapping[str, torch.Tensor]
Take = Callable[[Known], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor at hand, or half of one that holds two."""

    text: str
    take: Take


@dataclass(frozen=True, slots=True)
class Gated:
    """``f(argument)``, ``f(argument) * other`` or ``f(argument) + other``."""

    argument: Operand
    other: Operand | None = None
    added: bool = False

    @property
    def text(self) -> str:
        """In print, without the function."""
        word = "plus" if self.added else "times"
        return self.argument.text + (f" ({word} {self.other.text})" if self.other else "")

    def apply(self, function: Elementwise, known: Known) -> torch.Tensor:
        """The value for a function."""
        value = function.apply(self.argument.take(known))
        if self.other is None:
            return value
        other = self.other.take(known)
        return value + other if self.added else value * other


def gated_pairs(gap: Gap, known: Known) -> Iterator[tuple[Gated, Elementwise, Elementwise]]:
    """What the port computes at a gap as a function of tensors at hand, and the function that the original computes.

    A pass for functions that the port does apply comes before one for those that it left out.
    """
    if not gap.wrong.is_floating_point():
        return
    sample = _Sample(gap)
    plain: list[tuple[Gated, Elementwise, Elementwise]] = []
    operands = [operand for operand in _operands(gap, known) if operand.take(known).shape == gap.wrong.shape]
    spread = list(_spread(gap, known))[-MOST_TENSORS:]
    for gated in _forms(operands[-MOST_TENSORS:], spread):
        mine = sample.function(gap.wrong, gated, known)
        theirs = None if mine is None else sample.function(gap.right, gated, known)
        if mine is None or theirs is None or mine.text == theirs.text:
            continue
        if reproduces(gap, gated.apply(mine, known)) and explains(gap, gated.apply(theirs, known)):
            if mine.kind == "identity":
                plain.append((gated, mine, theirs))
            else:
                yield gated, mine, theirs
    yield from plain


def _forms(operands: list[Operand], spread: list[Operand]) -> Iterator[Gated]:
    yield from (Gated(operand) for operand in operands)
    yield from (Gated(_sum(one, other)) for one, other in combinations(operands, 2))
    for added in (False, True):
        yield from (Gated(one, other, added) for one, other in permutations(operands, 2))
        yield from (Gated(one, other, added) for one, other in product(operands, spread))


def _sum(one: Operand, other: Operand) -> Operand:
    return Operand(f"{one.text} plus {other.text}", lambda known: one.take(known) + other.take(known))


class _Sample:
    """A few elements of a gap, spread over those that count."""

    def __init__(self, gap: Gap) -> None:
        counted = torch.ones_like(gap.wrong, dtype=torch.bool) if gap.valid is None else gap.valid
        places = counted.flatten().nonzero().flatten()
        self.places = places[torch.linspace(0, len(places) - 1, min(SAMPLE, len(places))).long()]
        self.allowed = FACTOR * gap.floor.max_abs

    def function(self, y: torch.Tensor, gated: Gated, known: Known) -> Elementwise | None:
        """The function that makes ``y``, in such a form, of the tensors at hand."""
        x, y = gated.argument.take(known).flatten()[self.places], y.flatten()[self.places]
        other = None if gated.other is None else gated.other.take(known).flatten()[self.places]
        if other is None:
            return recognised(x, y, lambda f: self._close(f.apply(x), y))
        if gated.added:
            if self._close(other, y):
                return None  # what is left is rounding, which is a function of nothing
            return recognised(x, y - other, lambda f: self._close(f.apply(x) + other, y))
        large = other.abs() > 0.1
        return recognised(x[large], (y / other)[large], lambda f: self._close(f.apply(x) * other, y))

    def _close(self, value: torch.Tensor, y: torch.Tensor) -> bool:
        return bool(y.numel()) and bool((value - y).abs().max() <= self.allowed)


def _operands(gap: Gap, known: Known) -> Iterator[Operand]:
    shape = gap.wrong.shape
    for name, tensor in known.items():
        if not tensor.is_floating_point() or not tensor.dim() or not shape:
            continue
        if tensor.numel() == gap.wrong.numel():
            if tensor.shape == shape:
                yield Operand(name, lambda known, name=name: known[name])  # type: ignore[misc]
            elif tensor.dim() > 1 and tensor.transpose(-1, -2).shape == shape:
                yield Operand(f"{name}, transposed", lambda known, name=name: known[name].transpose(-1, -2))  # type: ignore[misc]
            else:
                yield Operand(
                    f"{name}, reshaped",
                    lambda known, name=name: known[name].reshape(-1, *shape[1:]),  # type: ignore[misc]
                )
        elif tensor.dim() == len(shape) and tensor.numel() == 2 * gap.wrong.numel():
            yield from _halves(name, tensor, shape)


def _spread(gap: Gap, known: Known) -> Iterator[Operand]:
    """Smaller tensors that are the same for all rows, as positions are, spread over the gap's shape."""
    shape = gap.wrong.shape
    for name, tensor in known.items():
        fits = 1 < tensor.dim() <= len(shape) and tensor.shape[-2:] == shape[-2:] and tensor.numel() < shape.numel()
        if tensor.is_floating_point() and fits and set(tensor.shape[:-2]) <= {1}:
            yield Operand(name, lambda known, name=name: known[name].expand(shape))  # type: ignore[misc]


def _halves(name: str, tensor: torch.Tensor, shape: torch.Size) -> Iterator[Operand]:
    axis = next((d for d in range(tensor.dim()) if tensor.shape[d] == 2 * shape[d]), -1)
    for index, text in enumerate(("first", "second")):
        yield Operand(
            f"the {text} half of {name}",
            lambda known, index=index: known[name].chunk(2, axis)[index],  # type: ignore[misc]
        )
    if axis == tensor.dim() - 1:
        for index, text in enumerate(("even", "odd")):
            yield Operand(
                f"the {text} columns of {name}",
                lambda known, index=index: known[name][..., index::2],  # type: ignore[misc]
            )
