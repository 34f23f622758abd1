"""Norms as a family of formulas, and which of them makes one tensor of another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch

from porting.diagnosis.modules.functions import rounded

USUAL = (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-3, 1e-4, 1e-2)
"""Epsilons that are tried after those of the settings, where the tensors do not tell them apart."""
MOST_EPSILONS = 5
"""Epsilons that are tried in one formula."""
TWICE = (1e-6, 1e-5, 1e-12)
"""Epsilons that are tried where the whole may be applied twice."""
SAMPLE = 128
"""Rows from which a formula is guessed before it is computed in full."""
LARGE = 1 << 18
"""Elements from which on images are looked at one at a time."""
FITS = 1e-2
"""Relative distance over which a result is no norm of that form, whatever the epsilon."""


@dataclass(frozen=True, slots=True)
class Affine:
    """The parameters of a norm, one number per channel; None where it has none."""

    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    mean: torch.Tensor | None = None
    variance: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """One formula.

    Attributes:
        over: what the statistics are taken over: ``features`` (the last axis), ``heads`` (parts of it), ``channels``
            (axis 1), ``groups`` of channels with all positions, ``batch`` (all but the channels) or ``running`` (kept
            statistics).
        groups: number of groups or parts; as many as channels is an instance norm.
        centred: whether the mean is taken off, as a layer norm does.
        statistic: ``mean`` of the squares, ``unbiased`` (over one less) or their ``sum``.
        outside: whether epsilon is added to the root and not below it.
        scale: ``weight``, ``1 + weight``, ``weight squared`` or ``no weight``.
        shifted: whether the bias is added.
        twice: whether the whole is applied to its own result again.
        eps: the epsilon.
    """

    over: str
    groups: int
    centred: bool
    statistic: str
    outside: bool
    scale: str
    shifted: bool
    twice: bool = False
    eps: float = 0.0

    def apply(self, x: torch.Tensor, affine: Affine) -> torch.Tensor:
        """The norm of ``x``, in its shape and dtype."""
        value = self._once(x, affine)
        return self._once(value, affine) if self.twice else value

    def _once(self, x: torch.Tensor, affine: Affine) -> torch.Tensor:
        centred, squares, view = self.parts(x, affine)
        root = squares.sqrt() + self.eps if self.outside else (squares + self.eps).sqrt()
        scale, shift = self.per_channel(x, affine)
        return ((centred / root).reshape(view) * scale + shift).to(x.dtype)

    def parts(self, x: torch.Tensor, affine: Affine) -> tuple[torch.Tensor, torch.Tensor, torch.Size]:
        """What is divided, the statistic under the root, and the shape to go back to."""
        value, axes = self._arranged(x.float())
        if self.over == "running":
            assert affine.mean is not None
            assert affine.variance is not None
            return value - _along(affine.mean, x, 1), _along(affine.variance, x, 1), x.shape
        centred = value - value.mean(axes, keepdim=True) if self.centred else value
        count = math.prod(value.shape[axis] for axis in axes)
        total = centred.square().sum(axes, keepdim=True)
        by = {"mean": count, "unbiased": max(count - 1, 1), "sum": 1}[self.statistic]
        return centred, total / by, x.shape

    def per_channel(self, x: torch.Tensor, affine: Affine) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and shift, ready to be broadcast."""
        axis = -1 if self.over in ("features", "heads") else 1
        one = torch.ones((), device=x.device)
        weight = one if affine.weight is None else _along(affine.weight, x, axis)
        scale = {"weight": weight, "1 + weight": 1 + weight, "weight squared": weight * weight}.get(self.scale, one)
        shift = _along(affine.bias, x, axis) if self.shifted and affine.bias is not None else 0 * one
        return scale, shift

    def _arranged(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
        if self.over == "features":
            return x, (x.dim() - 1,)
        if self.over == "heads":
            return x.reshape(*x.shape[:-1], self.groups, -1), (x.dim(),)
        if self.over == "channels":
            return x, (1,)
        if self.over in ("batch", "running"):
            return x, tuple(axis for axis in range(x.dim()) if axis != 1)
        return x.reshape(x.shape[0], self.groups, -1), (2,)

    def differences(self, other: Norm) -> list[tuple[str, ...]]:
        """Code, this side and the other side of everything in which two formulas differ, the weightiest first."""
        found: list[tuple[str, ...]] = []
        if (self.over, self.groups, self.centred) != (other.over, other.groups, other.centred):
            training = {self.over, other.over} == {"batch", "running"}
            found.append(("batch-norm-training" if training else "norm-type", self._type(), other._type()))
        formula = [pair for pair in zip(self._formula(), other._formula(), strict=True) if pair[0] != pair[1]]
        if formula:
            found.append(("norm-formula", *(" and ".join(texts) for texts in zip(*formula, strict=True))))
        if self.shifted != other.shifted:
            found.append(("missing-bias", _bias(self.shifted), _bias(other.shifted)))
        if self.eps != other.eps:
            found.append(("norm-eps", f"an epsilon of {self.eps:g}", f"an epsilon of {other.eps:g}"))
        return found

    @property
    def text(self) -> str:
        """The formula in words."""
        return f"{self._type()}, {', '.join(self._formula()[:3])}, epsilon {self.eps:g}"

    def _type(self) -> str:
        kind = "mean and variance" if self.centred else "the root mean square"
        groups = "one group" if self.groups == 1 else f"{self.groups} groups"
        named = {"features": "the last axis", "channels": "the channels", "running": "kept statistics"}
        named |= {"groups": groups, "heads": f"{self.groups} parts of the last axis"}
        return f"{kind} over {named.get(self.over, 'the batch')}"

    def _formula(self) -> tuple[str, str, str, str]:
        squares = {"mean": "the mean of squares", "unbiased": "the unbiased variance", "sum": "the sum of squares"}
        place = "epsilon added to the root" if self.outside else "epsilon under the root"
        return squares[self.statistic], place, f"a factor of {self.scale}", "two passes" if self.twice else "one pass"


def forms(x: torch.Tensor, affine: Affine, groups: Sequence[int]) -> Iterator[Norm]:
    """The formulas that a tensor's shape and a norm's parameters allow; their epsilons are still open."""
    scales = ("weight", "1 + weight", "weight squared", "no weight") if affine.weight is not None else ("no weight",)
    shifts = (True, False) if affine.bias is not None else (False,)
    for over, count in _arrangements(x, affine, groups):
        for centred, scale, shifted in product((False, True), scales, shifts):
            if centred or over != "running":
                yield Norm(over, count, centred, "mean", False, scale, shifted)


def matching(
    x: torch.Tensor,
    y: torch.Tensor,
    affine: Affine,
    accept: Callable[[torch.Tensor], bool],
    *,
    groups: Sequence[int] = (),
    epsilons: Sequence[float] = (),
) -> list[Norm]:
    """Every formula that makes ``y`` of ``x``, each with the first epsilon that does.

    Args:
        x: the argument.
        y: the result, of the same shape.
        affine: the norm's parameters.
        accept: whether a tensor is ``y`` up to rounding.
        groups: numbers of groups to think of.
        epsilons: those of the settings, tried first.
    """
    found: list[Norm] = []
    for form in forms(x, affine, groups):
        few, seen = _sample(form, x, y)
        for norm in _with_epsilon(form, few, seen, affine, epsilons):
            known = any(replace(norm, eps=other.eps) == other for other in found)
            if not known and accept(norm.apply(x, affine)):
                found.append(norm)
        if form.over != "running" and form.scale != "weight squared":
            passes = [replace(form, twice=True, eps=eps) for eps in dict.fromkeys((*epsilons[:2], *TWICE))]
            near = [norm for norm in passes if _near(norm.apply(few, affine), seen)]
            found += [norm for norm in near if accept(norm.apply(x, affine))][:1]
    return found


def _sample(form: Norm, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole rows of both tensors: the smallest, which tell most of an epsilon, and some of all."""
    if form.over in ("features", "heads"):
        rows, results = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
        if len(rows) <= SAMPLE:
            return rows, results
        order = rows.float().square().sum(-1).argsort()
        places = torch.cat((order[: SAMPLE // 2], order[torch.linspace(0, len(rows) - 1, SAMPLE // 2).long()]))
        return rows[places], results[places]
    few = 1 if x.numel() > LARGE and form.over != "batch" else len(x)
    return x[:few], y[:few]


def _near(value: torch.Tensor, other: torch.Tensor) -> bool:
    return float((value.float() - other.float()).norm()) <= FITS * float(other.float().norm())


def _with_epsilon(form: Norm, x: torch.Tensor, y: torch.Tensor, affine: Affine, given: Sequence[float]) -> list[Norm]:
    """A form with the placements and epsilons that the ratio of result and argument allows."""
    centred, squares, _ = form.parts(x, affine)
    scale, shift = form.per_channel(x, affine)
    scale, rest = (scale.expand(x.shape).reshape(centred.shape), (y.float() - shift).reshape(centred.shape))
    axes = tuple(axis for axis in range(centred.dim()) if squares.shape[axis] == 1)
    weighted = (centred * scale).double()
    size = weighted.square().sum(axes, keepdim=True)
    factor = (rest.double() * weighted).sum(axes, keepdim=True) / size
    off = (rest.double() - factor * weighted).norm()
    if not float(off) <= FITS * float(rest.double().norm()):
        return []
    found = []
    for statistic, outside in product(("mean", "unbiased", "sum"), (False, True)):
        changed = replace(form, statistic=statistic, outside=outside)
        if form.over == "running" and statistic != "mean":
            continue
        found += [replace(changed, eps=eps) for eps in _epsilons(changed, x, 1 / factor, affine, given)]
    return found


def _epsilons(norm: Norm, x: torch.Tensor, root: torch.Tensor, affine: Affine, given: Sequence[float]) -> list[float]:
    """The epsilons that bring the statistic to the divisor: those of the settings, then the nearest usual ones."""
    _, squares, _ = norm.parts(x, affine)
    squares = squares.double()
    eps, size = (root - squares.sqrt(), squares.sqrt()) if norm.outside else (root.square() - squares, squares)
    usable = torch.isfinite(eps) & (root > 0)
    if not bool(usable.any()):
        return []
    eps, size = eps[usable], size[usable]
    weights = 1 / (size + 1e-12 * size.max() + 1e-300).square()
    value = float((eps * weights).sum() / weights.sum())
    slack = 2e-5 * float(size.min()) + 2e-3 * abs(value)
    nearest = sorted(USUAL, key=lambda usual: abs(usual - value))
    near = [each for each in (*given, *nearest) if abs(each - value) <= slack]
    found = list(dict.fromkeys(near))[:MOST_EPSILONS]
    varied = float(size.max()) > 1.2 * float(size.min())
    return found or ([rounded(value, 1e-3)] if value > 0 and varied else [])


def _arrangements(x: torch.Tensor, affine: Affine, groups: Sequence[int]) -> Iterator[tuple[str, int]]:
    width = next((vector.numel() for vector in (affine.weight, affine.bias) if vector is not None), None)
    if affine.mean is not None and x.shape[1] == affine.mean.numel():
        yield "running", 0
        yield "batch", 0
    if width in (None, x.shape[-1]):
        yield "features", 0
        counts = {2**power for power in range(1, 7)} | set(groups)
        yield from (("heads", count) for count in sorted(counts) if x.shape[-1] % count == 0 and count < x.shape[-1])
    if x.dim() > 2 and width in (None, x.shape[1]):
        yield "channels", 0
        if affine.mean is None:
            yield "batch", 0
        counts = {1, x.shape[1], *(2**power for power in range(1, 7)), *groups}
        yield from (("groups", count) for count in sorted(counts) if x.shape[1] % count == 0)


def _along(values: torch.Tensor, x: torch.Tensor, axis: int) -> torch.Tensor:
    """One number per channel, in a shape that broadcasts over ``x``."""
    shape = [1] * x.dim()
    shape[axis] = values.numel()
    return values.detach().float().to(x.device).reshape(shape)


def _bias(shifted: bool) -> str:
    return "a bias" if shifted else "no bias"
