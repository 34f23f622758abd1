"""Tensors with other numbers than they should have: rounded, scaled, partly overwritten, or a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from porting.starts import start_like
from porting.weights.audit.orders import listing
from porting.weights.audit.rearranged import rearrangement
from porting.weights.audit.relation import Place, Relation
from porting.weights.audit.signatures import slices, telling, total

NARROW = ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")
"""Dtypes through which a tensor may have gone; of those that hold its values, the last is the narrowest."""
ROUNDINGS = 4
"""Roundings of one element in an arithmetic operation."""
CLOSE = 0.5
"""Distance, relative to the tensor's size, up to which the numbers are still the checkpoint's, changed."""

_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "exp of the checkpoint's": torch.exp,
    "minus exp of the checkpoint's": lambda given: -given.exp(),
    "log of the checkpoint's": torch.log,
    "one over the checkpoint's": torch.reciprocal,
    "the square of the checkpoint's": torch.square,
    "the square root of the checkpoint's": torch.sqrt,
    "one over the square root of the checkpoint's": torch.rsqrt,
    "softplus of the checkpoint's": torch.nn.functional.softplus,
}


def rounded(tensor: torch.Tensor, dtype: str) -> torch.Tensor:
    """The tensor as it is after a way through another dtype."""
    return tensor.to(getattr(torch, dtype)).to(tensor.dtype)


def narrow(tensor: torch.Tensor) -> list[str]:
    """The narrower dtypes that hold all values of a tensor exactly, the widest first."""
    if not tensor.is_floating_point() or tensor.element_size() < 2:
        return []
    head = tensor.reshape(-1)[:4096]
    kept = [name for name in NARROW if getattr(torch, name).itemsize < tensor.element_size()]
    return [name for name in kept if _holds(head, name) and _holds(tensor, name)]


def change(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation:
    """How a model's tensor differs from what it should hold, where that is no `arithmetic`, in cause and words.

    Both are of one dtype and shape.
    """
    if model.numel() and constant(model):
        return _constant(place, model)
    if not model.is_floating_point():
        return _part(place, model, given) or Relation("unknown", "")
    found = _part(place, model, given) or _sliced(place, model, given)
    return found or _function(model, given) or _unrelated(model, given)


def arithmetic(model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """Rounding, a factor, a constant added: what computes every element of a floating tensor alike."""
    if not model.is_floating_point() or constant(model):
        return None
    for dtype in narrow(model):
        if torch.equal(rounded(given, dtype), model):
            return Relation("dtype-cast", f"the checkpoint's rounded to {dtype}")
    one, other = model.double(), given.double()
    if torch.equal(one, -other):
        return Relation("extra-scale", "the checkpoint's negated")
    if close(model, given):
        return None
    at = int(other.abs().nan_to_num(0, 0, 0).argmax())
    factor, shift = (one.reshape(-1)[at] / other.reshape(-1)[at]).item(), (one - other).reshape(-1)[at].item()
    if factor and _within(one, factor * other, model.dtype, one.abs()).all():
        return Relation("extra-scale", f"the checkpoint's times {factor:.6g}")
    if shift and _within(one, other + shift, model.dtype, torch.maximum(one.abs(), other.abs()) + abs(shift)).all():
        words = f"the checkpoint's plus {shift:.6g}" if shift > 0 else f"the checkpoint's less {-shift:.6g}"
        return Relation("norm-formula" if abs(abs(shift) - 1) < 1e-5 else "unknown", words)
    return None


def constant(tensor: torch.Tensor) -> bool:
    """Whether all elements are the same, or NaN; one element is."""
    flat = tensor.reshape(-1)
    if tensor.element_size() == 1:
        flat = flat.float()
    first = flat[:1]
    return bool(((flat == first) | (flat != flat) & (first != first)).all())


def close(model: torch.Tensor, given: torch.Tensor) -> bool:
    """Whether two tensors are equal within the rounding of one arithmetic operation in the model's dtype."""
    if model.shape != given.shape or not model.is_floating_point():
        return False
    one, other = model.double(), given.double()
    return bool((_within(one, other, model.dtype, other.abs()) | one.isnan() & other.isnan()).all())


def _within(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype, size: torch.Tensor) -> torch.Tensor:
    limits = torch.finfo(dtype)
    return (one - other).abs() <= ROUNDINGS * (limits.eps * size + limits.smallest_normal * limits.eps)


def _holds(tensor: torch.Tensor, dtype: str) -> bool:
    back = rounded(tensor, dtype)
    return bool(((back == tensor) | (back != back) & (tensor != tensor)).all())


def _constant(place: Place, model: torch.Tensor) -> Relation:
    value = model.reshape(-1)[0].item()
    words = f"all {value:g}" if not isinstance(value, (bool, complex)) else f"all {value}"
    if place.is_magnitude:
        return Relation("weight-norm", f"{words}: the magnitude of the weight norm was not loaded")
    return Relation("missing-bias" if place.is_bias and not value else "not-loaded", words)


def _part(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """What is wrong with the slices that differ, where others are right."""
    differing = [(slices(model, axis) != slices(given, axis)).nonzero().flatten() for axis in range(model.dim())]
    shares = [len(found) / max(1, model.shape[axis]) for axis, found in enumerate(differing)]
    axis = min(range(model.dim()), key=shares.__getitem__, default=-1)
    if axis < 0 or shares[axis] == 1:
        return None
    found = differing[axis]
    wrong, right = (tensor.index_select(axis, found.to(tensor.device)) for tensor in (model, given))
    inner = _inner(place, wrong, right)
    what = {(0, True): "row", (0, False): "rows", (1, True): "column", (1, False): "columns"}.get(
        (axis, len(found) == 1), f"of axis {axis}, those"
    )
    if model.dim() == 1:
        what = "element" if len(found) == 1 else "elements"
    words = f"the checkpoint's except {what} {listing(found)}: {inner.words}"
    if inner.cause == "missing-bias":
        return Relation("not-loaded", words)
    if what == "row" and not wrong.any():
        return Relation("padding-idx", words)
    return Relation(inner.cause, words)


def _inner(place: Place, wrong: torch.Tensor, right: torch.Tensor) -> Relation:
    if telling(wrong) and total(wrong) == total(right) and (found := rearrangement(place, wrong, right)):
        return found
    if bool((wrong != wrong).any()) and not bool((right != right).any()):
        return Relation("not-loaded", "NaN there" if constant(wrong) else "NaN among them")
    if constant(wrong):
        return _constant(place, wrong)
    if not wrong.is_floating_point():
        return Relation("unknown", "other numbers")
    return arithmetic(wrong, right) or _unrelated(wrong, right)


def _sliced(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """A factor of its own for each slice along an axis: a norm that was, or was not, divided out."""
    if model.dim() < 2:
        return None
    one, other = model.double(), given.double()
    for axis in (0, 1):
        rest = [each for each in range(model.dim()) if each != axis]
        factors = (one * other).sum(rest, keepdim=True) / other.square().sum(rest, keepdim=True)
        spread = other.square().mean(rest, keepdim=True).sqrt() * factors.abs()
        if model[0].numel() > 1 and _within(one, other * factors, model.dtype, one.abs() + spread).all():
            lengths = one.square().sum(rest).sqrt()
            unit = bool(((lengths - 1).abs() < 1e-3).all())
            which = "row" if axis == 0 else "column"
            words = f"the checkpoint's with a factor of its own for each {which}"
            words += f" (each {which} has norm 1)" if unit else ""
            return Relation("weight-norm" if _is_folded(place) else "extra-scale", words)
    return None


def _is_folded(place: Place) -> bool:
    return any(Place(source).is_magnitude for source in place.sources) or "weight_v" in place.name


def _function(model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    one, other = model.double(), given.double()
    for words, function in _FUNCTIONS.items():
        made = function(other)
        if _within(one, made, model.dtype, 2 * made.abs()).all():
            return Relation("unknown", words)
    return None


def _unrelated(model: torch.Tensor, given: torch.Tensor) -> Relation:
    """A start, memory that was never written, or the checkpoint's numbers after a change without a name."""
    return next(_looks(model, given), Relation("not-loaded", "unlike the checkpoint's"))


def _looks(model: torch.Tensor, given: torch.Tensor) -> Iterator[Relation]:
    one, other = model.double(), given.double()
    if close(model, given):
        yield Relation("unknown", "the checkpoint's up to rounding")
    if not one.isfinite().all() and other.isfinite().all():
        yield Relation("not-loaded", f"NaN or infinite in {int((~one.isfinite()).sum()):,} elements")
    size = float(other.norm())
    distance = float((one - other).norm()) / size if size else float("inf")
    if distance < CLOSE and model.numel() > 1:
        yield Relation("unknown", f"close to the checkpoint's, at a relative distance of {distance:.2g}")
    if look := start_like(model):
        yield Relation("not-loaded", look.removeprefix("is "))
