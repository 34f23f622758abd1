"""The numbers for one aligned tensor pair, accumulated in float64, a slice at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from porting.tolerance import Tolerance

SLICE_ELEMENTS = 1 << 18
"""Elements held in float64 at a time; the extra memory stays at a few of these."""


@dataclass(frozen=True, slots=True)
class TensorComparison:
    """How far a ported tensor is from the original one.

    Attributes:
        original_shape: shape of the original tensor, in the port's layout.
        ported_shape: shape of the ported tensor.
        dtypes: of the original and the ported tensor.
        allclose: shapes are equal, non-finite values sit at the same places and every compared element is within
            the tolerance (exactly equal for integers and booleans).
        elements: how many finite elements were compared; 0 is no evidence of anything.
        masked: how many were left out as not valid.
        nonfinite: how many places have NaN or Inf on one side only, or different ones.
        max_abs: largest absolute difference; infinite with `nonfinite` places, NaN if nothing was compared.
        max_rel: largest difference relative to a non-zero original element.
        l2: root of the summed squared differences.
        reference_l2: the same of the original's compared elements.
        cosine: of the compared elements, in float64; NaN if either side is all zeros.
        worst: index of the element that exceeds its allowance most.
        values_at_worst: the original's and the port's value there.
        required: the smallest ``atol = rtol`` under which the pair would pass.
        scale: largest absolute original element compared.
    """

    original_shape: tuple[int, ...]
    ported_shape: tuple[int, ...]
    dtypes: tuple[str, str]
    allclose: bool
    elements: int = 0
    masked: int = 0
    nonfinite: int = 0
    max_abs: float = math.nan
    max_rel: float = math.nan
    l2: float = math.nan
    reference_l2: float = math.nan
    cosine: float = math.nan
    worst: tuple[int, ...] | None = None
    values_at_worst: tuple[float, float] | None = None
    required: float = math.nan
    scale: float = math.nan

    @property
    def relative_l2(self) -> float:
        """`l2` over `reference_l2`: 0 for equal tensors, infinite where the original is all zeros."""
        if not self.l2:
            return self.l2
        return self.l2 / self.reference_l2 if self.reference_l2 else math.inf

    @property
    def comparable(self) -> bool:
        """Whether anything was compared: a pair of equal shape with a finite element at a valid position."""
        return self.original_shape == self.ported_shape and (self.elements > 0 or self.nonfinite > 0)

    def describe(self) -> str:
        """What is wrong, or how close it is, in one clause."""
        if self.original_shape != self.ported_shape:
            return f"shape {self.ported_shape}, the original has {self.original_shape}"
        if self.nonfinite:
            return f"NaN or Inf at {self.nonfinite:,} places where the original has none, or others"
        if not self.elements:
            return "no finite element at a valid position"
        where = f" at {self.worst}" if self.worst and not self.allclose else ""
        return f"max abs {self.max_abs:.2g}{where}, relative L2 {self.relative_l2:.2g}"

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON; what is not finite as null."""
        return {
            "allclose": self.allclose,
            "max_abs": finite(self.max_abs),
            "max_rel": finite(self.max_rel),
            "relative_l2": finite(self.relative_l2),
            "cosine": finite(self.cosine),
            "required_tolerance": finite(self.required),
            "nonfinite": self.nonfinite,
            "worst": None if self.worst is None else list(self.worst),
            "shape": list(self.ported_shape),
            "original_shape": list(self.original_shape),
            "dtypes": list(self.dtypes),
            "compared": self.elements,
            "masked": self.masked,
        }


def finite(value: float | None) -> float | None:
    """``value``, or None for NaN and infinities, which JSON does not have."""
    return value if value is not None and math.isfinite(value) else None


def compare_tensors(
    original: torch.Tensor, ported: torch.Tensor, tolerance: Tolerance, mask: torch.Tensor | None = None
) -> TensorComparison:
    """Compare a ported tensor with the original one: shapes first, then values; nothing is broadcast.

    Args:
        original: the reference; tolerance is relative to it.
        ported: any dtype and device.
        tolerance: ``abs(ported - original) <= atol + rtol * abs(original)``.
        mask: bool, of the same shape: what counts; None: everything.
    """
    shapes = tuple(original.shape), tuple(ported.shape)
    dtypes = _dtype(original), _dtype(ported)
    if shapes[0] != shapes[1]:
        return TensorComparison(*shapes, dtypes, allclose=False)
    exact = not (original.is_floating_point() or original.is_complex())
    as_complex = original.is_complex() or ported.is_complex()
    one, other = (_flat(tensor, as_complex=as_complex) for tensor in (original, ported))
    keep = None if mask is None else mask.expand(shapes[0]).reshape(-1).cpu()
    if keep is not None and as_complex:
        keep = keep.repeat_interleave(2)
    sums = _Sums(Tolerance(0.0, 0.0) if exact else tolerance)
    for start in range(0, one.numel(), SLICE_ELEMENTS):
        part = slice(start, start + SLICE_ELEMENTS)
        sums.add(one[part], other[part], None if keep is None else keep[part], start)
    return sums.result(shapes, dtypes, masked=0 if keep is None else int((~keep).sum()))


class _Sums:
    """What is carried from slice to slice."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.elements = self.nonfinite = self.failing = 0
        self.max_abs = self.max_rel = self.required = self.scale = 0.0
        self.squares = self.left = self.right = self.product = 0.0
        self.excess = -math.inf
        self.worst: tuple[int, float, float] | None = None

    def add(self, one: torch.Tensor, other: torch.Tensor, keep: torch.Tensor | None, start: int) -> None:
        """Account for one slice of both tensors, flattened, on the cpu."""
        same_kind = one.dtype == other.dtype  # else torch would compare in the coarser dtype
        if same_kind and torch.equal(one, other) and self._add_equal(one, keep):
            return
        a, b = one.double(), other.double()
        counts = torch.isfinite(a) & torch.isfinite(b)
        odd = ~counts & ~((a == b) | (a.isnan() & b.isnan()))
        if keep is not None:
            counts, odd = counts & keep, odd & keep
        if bool(odd.any()):
            self.nonfinite += int(odd.sum())
            place = int(odd.int().argmax())
            if self.excess < math.inf:
                self.excess, self.worst = math.inf, (start + place, float(a[place]), float(b[place]))
        if not bool(counts.all()):
            zero = torch.zeros((), dtype=torch.float64, device="cpu")
            a, b = torch.where(counts, a, zero), torch.where(counts, b, zero)
        self._accumulate(a, b, int(counts.sum()), start)
        if same_kind and one.dtype == torch.uint64:
            one, other = one.view(torch.int64), other.view(torch.int64)
        if torch.int64 in (one.dtype, other.dtype) and torch.uint64 not in (one.dtype, other.dtype):
            self.failing += int(((one != other) & counts).sum())

    def _add_equal(self, one: torch.Tensor, keep: torch.Tensor | None) -> bool:
        """Account for a slice that is equal on both sides; False if it is not all finite."""
        a = one if one.is_floating_point() else one.double()
        a = a if keep is None else torch.where(keep, a, 0.0)
        norm = float(torch.linalg.vector_norm(a, dtype=torch.float64))
        if not math.isfinite(norm):
            return False
        self.elements += a.numel() if keep is None else int(keep.sum())
        self.left += norm**2
        self.right += norm**2
        self.product += norm**2
        self.scale = max(self.scale, float(a.abs().max()))
        return True

    def _accumulate(self, a: torch.Tensor, b: torch.Tensor, elements: int, start: int) -> None:
        if not elements:
            return
        self.elements += elements
        self.left += float(a @ a)
        self.right += float(b @ b)
        self.product += float(a @ b)
        size = a.abs()
        self.scale = max(self.scale, float(size.max()))
        difference = (b - a).abs()
        largest = float(difference.max())
        self.max_abs = max(self.max_abs, largest)
        self.squares += float(difference @ difference)
        self.max_rel = max(self.max_rel, float(torch.where(size > 0, difference / size, 0.0).max()))
        self.required = max(self.required, float((difference / (1 + size)).max()))
        excess = difference - (self.tolerance.atol + self.tolerance.rtol * size)
        self.failing += int((~(excess <= 0)).sum())
        place = int(excess.argmax())
        if float(excess[place]) > self.excess:
            self.excess, self.worst = float(excess[place]), (start + place, float(a[place]), float(b[place]))

    def result(
        self, shapes: tuple[tuple[int, ...], tuple[int, ...]], dtypes: tuple[str, str], masked: int
    ) -> TensorComparison:
        """The comparison of all that was added."""
        norms = math.sqrt(self.left) * math.sqrt(self.right)
        worst = None if self.worst is None else _unravel(self.worst[0], shapes[0])
        nothing = not self.elements and not self.nonfinite
        return TensorComparison(
            *shapes,
            dtypes,
            allclose=not self.failing and not self.nonfinite and self.elements > 0,
            elements=self.elements,
            masked=masked,
            nonfinite=self.nonfinite,
            max_abs=math.inf if self.nonfinite else math.nan if nothing else self.max_abs,
            max_rel=math.inf if self.nonfinite else math.nan if nothing else self.max_rel,
            l2=math.inf if self.nonfinite else math.nan if nothing else math.sqrt(self.squares),
            reference_l2=math.sqrt(self.left),
            cosine=max(-1.0, min(1.0, self.product / norms)) if norms else math.nan,
            worst=worst,
            values_at_worst=None if self.worst is None else self.worst[1:],
            required=math.inf if self.nonfinite else math.nan if nothing else self.required,
            scale=self.scale,
        )


def _flat(tensor: torch.Tensor, *, as_complex: bool) -> torch.Tensor:
    tensor = tensor.detach().resolve_conj().resolve_neg().cpu()
    if tensor.is_floating_point() and tensor.element_size() == 1:
        tensor = tensor.float()  # torch compares no float8
    if as_complex:
        tensor = torch.view_as_real(tensor.to(torch.complex128))
    return tensor.reshape(-1)


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _unravel(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for length in reversed(shape):
        index.append(place % length)
        place //= length
    return tuple(reversed(index))
