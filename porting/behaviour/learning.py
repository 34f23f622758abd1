"""Whether two models would learn alike: the gradients of a port beside those of its original."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from porting.behaviour.counterparts import Counterparts
from porting.behaviour.gradients import Gradients, Select, backward_of, exact_gradients
from porting.behaviour.subject import LAST_DIGITS, MARGIN, Subject
from porting.tolerance import Tolerance

Pairs = Callable[[object, object], Sequence[tuple[str, torch.Tensor, torch.Tensor]]]
"""(name, original, ported) of the outputs that correspond, from what both forwards returned."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """A parameter of the port whose gradient is not the original's.

    Attributes:
        name: of the parameter.
        max_abs: the largest difference.
        scale: the largest of the original's.
        why: in words.
    """

    name: str
    max_abs: float
    scale: float
    why: str


@dataclass(frozen=True, slots=True)
class Learning:
    """The gradients of both sides beside each other.

    Attributes:
        compared: how many of the port's parameters were.
        unlike: in the order of the port's parameters.
        unmatched: names of those whose counterpart was not found.
        asked: how many parameters of the original and of the port the result depends on.
    """

    compared: int
    unlike: tuple[Unlike, ...]
    unmatched: tuple[str, ...]
    asked: tuple[int, int]


def learning_of(
    original: Subject,
    ported: Subject,
    pairs: Pairs,
    likely: Callable[[str], Collection[str]],
    tolerance: Tolerance,
) -> Learning:
    """Run both sides backward from the same projection of their outputs, and compare parameter by parameter.

    Args:
        original: the original.
        ported: the port.
        pairs: which outputs correspond.
        likely: for a module of the port the original's modules that correspond to it.
        tolerance: a difference within its relative part of the largest gradient passes; so does one within `MARGIN`
            times the port's own rounding, against float64.

    Raises:
        CaptureError: a forward or a backward raised.
    """
    results = original.result(), ported.result()
    valid = ported.valid_positions(ported.inputs)

    def selecting(side: int) -> Select:
        def select(result: object) -> list[torch.Tensor]:
            both = [result, results[1]] if side == 0 else [results[0], result]
            return [(one, other)[side] for _, one, other in pairs(*both) if one.shape == other.shape]

        return select

    theirs = backward_of(original, selecting(0), valid=valid).gradients
    ours = backward_of(ported, selecting(1), valid=valid).gradients
    asked = _asked(theirs), _asked(ours)
    if not all(asked):
        return Learning(0, (), (), asked)
    comparer = _Comparer(original, ported, theirs, exact_gradients(ported, selecting(1), valid), likely, tolerance)
    for name, parameter in ported.model.named_parameters():
        comparer.compare(name, parameter, ours.get(name))
    return Learning(comparer.compared, tuple(comparer.unlike), tuple(comparer.unmatched), asked)


def composing(names: Iterable[str]) -> set[str]:
    """Those parameters from which torch's parametrizations and weight norm compute a weight.

    The gradient of a part is another one than that of the weight, also where the two have equal values.
    """
    known = set(names)
    pairs = {name for name in known if {name[:-2] + "_g", name[:-2] + "_v"} <= known}
    return {name for name in known if name in pairs or ".parametrizations." in f".{name}"}


class _Comparer:
    """Compares one parameter after the other."""

    def __init__(
        self,
        original: Subject,
        ported: Subject,
        theirs: Gradients,
        exact: Gradients,
        likely: Callable[[str], Collection[str]],
        tolerance: Tolerance,
    ) -> None:
        parameters = dict(original.model.named_parameters())
        self._theirs = {
            name: torch.zeros_like(parameters[name], device="cpu") if gradient is None else gradient
            for name, gradient in theirs.items()
        }
        composed = composing(parameters)
        self._counterparts = {
            part: Counterparts({name: parameters[name] for name in theirs if (name in composed) is part}, likely)
            for part in (False, True)
        }
        self._composing = composing(name for name, _ in ported.model.named_parameters())
        self._exact = exact
        self._tolerance = tolerance
        self._largest = max(map(_largest, self._theirs.values()), default=0.0)
        names = [id(each) for _, each in ported.model.named_parameters(remove_duplicate=False)]
        self._tied = {each for each in names if names.count(each) > 1} if len(set(names)) < len(names) else set()
        self.compared = 0
        self.unlike: list[Unlike] = []
        self.unmatched: list[str] = []

    def compare(self, name: str, parameter: torch.Tensor, gradient: torch.Tensor | None) -> None:
        """Compare the gradient of a parameter of the port; None if it has none."""
        counterparts = self._counterparts[name in self._composing]
        expected = counterparts.expected(name, parameter, self._theirs, tied=id(parameter) in self._tied)
        if expected is None or not bool(expected.isfinite().any()):
            self.unmatched.append(name)
            return
        self.compared += 1
        known = expected.isfinite()
        scale = float(expected[known].abs().max())
        found = torch.zeros_like(expected) if gradient is None else gradient.to(expected.dtype)
        difference = float((found - expected)[known].abs().max())
        if not difference <= self._allowed(name, found, scale):  # NaN is within nothing
            self.unlike.append(Unlike(name, difference, scale, _why(parameter, gradient, scale)))

    def _allowed(self, name: str, found: torch.Tensor, scale: float) -> float:
        exact = self._exact.get(name)
        rounding = 0.0 if exact is None else _largest(found.double() - exact.double())
        least = LAST_DIGITS * torch.finfo(found.dtype).eps * self._largest
        return max(MARGIN * rounding, self._tolerance.rtol * scale, least)


def _why(parameter: torch.Tensor, gradient: torch.Tensor | None, scale: float) -> str:
    if not parameter.requires_grad:
        return "it does not require a gradient, and the original's does"
    if gradient is not None and not bool(gradient.isfinite().all()):
        return "its gradient is NaN or Inf, and the original's is not"
    if gradient is None:
        return f"nothing that is returned depends on it, and in the original something does (up to {scale:.2g})"
    return "its gradient is not the original's"


def _largest(tensor: torch.Tensor) -> float:
    """The largest finite value, by size."""
    finite = tensor[tensor.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _asked(gradients: Mapping[str, torch.Tensor | None]) -> int:
    return sum(gradient is not None for gradient in gradients.values())
