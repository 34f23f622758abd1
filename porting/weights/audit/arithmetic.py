"""Tensors whose elements were all computed alike: rounded, multiplied, shifted, or put through a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from porting.weights.audit.comparing import blocks
from porting.weights.audit.relation import Place, Relation
from porting.weights.audit.signatures import HEAD

NARROW = ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")
"""Dtypes through which a tensor may have gone; of those that hold its values, the last is the narrowest."""
ROUNDINGS = 4
"""Roundings of one element in an arithmetic operation."""
FEWEST_IN_SLICE = 4
"""Elements of a slice from which on a factor of its own says something."""
UNIT = 1e-3
"""How far from 1 norms may be that are called 1."""

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


def arithmetic(model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """Rounding, a factor, a constant added: what computes every element of a floating tensor alike."""
    if not model.is_floating_point() or constant(model):
        return None
    if model.element_size() == 1:
        model, given = model.float(), given.float()
    for dtype in narrow(model):
        if torch.equal(rounded(given, dtype), model):
            return Relation("dtype-cast", f"the checkpoint's rounded to {dtype}")
    if _every(lambda one, other: one == -other, model, given):
        return Relation("extra-scale", "the checkpoint's negated")
    if close(model, given):
        return None
    at = int(given.reshape(-1)[:HEAD].abs().nan_to_num(0, 0, 0).argmax())
    largest, seen = given.reshape(-1)[at].double(), model.reshape(-1)[at].double()
    factor, shift = float(seen / largest), float(seen - largest)
    if factor and _every(lambda one, other: _within(one, factor * other, model.dtype, one.abs()), model, given):
        return Relation("extra-scale", f"the checkpoint's times {factor:.6g}")
    if shift and _every(lambda one, other: _shifted(one, other, shift, model.dtype), model, given):
        words = f"the checkpoint's plus {shift:.6g}" if shift > 0 else f"the checkpoint's less {-shift:.6g}"
        return Relation("norm-formula" if abs(abs(shift) - 1) < 1e-5 else "unknown", words)
    return None


def rounded(tensor: torch.Tensor, dtype: str) -> torch.Tensor:
    """The tensor as it is after a way through another dtype."""
    return tensor.to(getattr(torch, dtype)).to(tensor.dtype)


def narrow(tensor: torch.Tensor) -> list[str]:
    """The narrower dtypes that hold all values of a tensor exactly, the widest first."""
    if not tensor.is_floating_point() or tensor.element_size() < 2:
        return []
    head = tensor.reshape(-1)[:HEAD]
    kept = [name for name in NARROW if getattr(torch, name).itemsize < tensor.element_size()]
    return [name for name in kept if _holds(head, name) and _holds(tensor, name)]


def constant(tensor: torch.Tensor) -> bool:
    """Whether all elements are the same, or NaN; one element is."""
    flat = tensor.reshape(-1)
    if tensor.element_size() == 1:
        flat = flat.float()
    first = flat[:1]
    return all(bool(((part == first) | (part != part) & (first != first)).all()) for (part,) in blocks(flat))


def close(model: torch.Tensor, given: torch.Tensor) -> bool:
    """Whether two tensors are equal within the rounding of one arithmetic operation in the model's dtype."""
    if model.shape != given.shape or not model.is_floating_point():
        return False
    return _every(
        lambda one, other: _within(one, other, model.dtype, other.abs()) | one.isnan() & other.isnan(), model, given
    )


def by_slices(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """A factor of its own for each slice along an axis: a norm that was, or was not, divided out."""
    if model.dim() < 2:
        return None
    for axis, which in enumerate(("row", "column")):
        rest = [each for each in range(model.dim()) if each != axis]
        for centred in (False, True):
            few = (tensor.narrow(axis, 0, min(FEWEST_IN_SLICE, tensor.shape[axis])) for tensor in (model, given))
            both = (tuple(few), (model, given))
            if all(_proportional(one, other, rest, centred=centred) for one, other in both):
                unit = "" if centred else _unit(model, rest, which)
                words = f"the checkpoint's with a factor{' and a shift' * centred} of its own for each {which}{unit}"
                return Relation("weight-norm" if place.is_folded else "extra-scale", words)
    return None


def by_function(model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """The function of which the model's elements are the values, if it is one that checkpoints are stored in."""
    for words, function in _FUNCTIONS.items():
        if _every(partial(_is_image, function=function, dtype=model.dtype), model, given):
            return Relation("unknown", words)
    return None


def _shifted(one: torch.Tensor, other: torch.Tensor, shift: float, dtype: torch.dtype) -> torch.Tensor:
    return _within(one, other + shift, dtype, torch.maximum(one.abs(), other.abs()) + abs(shift))


def _every(holds: Callable[..., torch.Tensor], *tensors: torch.Tensor) -> bool:
    """Whether something holds for all elements in float64; a block at a time, until it does not."""
    return all(bool(holds(*(part.double() for part in block)).all()) for block in blocks(*tensors))


def _within(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype, size: torch.Tensor) -> torch.Tensor:
    limits = torch.finfo(dtype)
    return (one - other).abs() <= ROUNDINGS * (limits.eps * size + limits.smallest_normal * limits.eps)


def _holds(tensor: torch.Tensor, dtype: str) -> bool:
    back = rounded(tensor, dtype)
    return bool(((back == tensor) | (back != back) & (tensor != tensor)).all())


def _proportional(model: torch.Tensor, given: torch.Tensor, rest: list[int], *, centred: bool) -> bool:
    """Whether each slice is the other's times a number, and plus another one where ``centred``."""
    one, other = model.double(), given.double()
    if one[0].numel() < FEWEST_IN_SLICE:
        return False
    if centred:
        one, other = (tensor - tensor.mean(rest, keepdim=True) for tensor in (one, other))
    factors = (one * other).sum(rest, keepdim=True) / other.square().sum(rest, keepdim=True)
    size = model.double().abs().amax(rest, keepdim=True) + (factors * other).abs().amax(rest, keepdim=True)
    return bool(_within(one, other * factors, model.dtype, size).all())


def _unit(model: torch.Tensor, rest: list[int], which: str) -> str:
    lengths = model.double().square().sum(rest).sqrt()
    return f", and norm 1 in each {which}" if bool(((lengths - 1).abs() < UNIT).all()) else ""


def _is_image(
    one: torch.Tensor, other: torch.Tensor, *, function: Callable[[torch.Tensor], torch.Tensor], dtype: torch.dtype
) -> torch.Tensor:
    made = function(other)
    return _within(one, made, dtype, 2 * made.abs())
