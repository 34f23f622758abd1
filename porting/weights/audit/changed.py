"""Tensors with other numbers than they should have: rounded, scaled, partly overwritten, or a start."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from porting.starts import start_like
from porting.weights.audit.arithmetic import arithmetic, by_function, by_slices, close, constant
from porting.weights.audit.comparing import blocks
from porting.weights.audit.misplaced import misplaced
from porting.weights.audit.orders import index_words
from porting.weights.audit.rearranged import rearrangement
from porting.weights.audit.relation import Place, Relation
from porting.weights.audit.signatures import BLOCK, differing, telling, total

MOST_PLACES = 4
"""Elements that are named one by one."""
QUANTISED = 256
"""Different values that a quantised tensor has at most."""
HUGE = 1e8
"""Times the size of the checkpoint's numbers that no loading gives."""
CLOSE = 0.5
"""Distance, relative to the tensor's size, up to which the numbers are still the checkpoint's, changed."""


def change(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation:
    """How a model's tensor differs from what it should hold, where that is no `arithmetic`, in cause and words.

    Both are of one dtype and shape.
    """
    if model.numel() and constant(model):
        return _constant(place, model)
    if model.is_floating_point() and model.element_size() == 1:
        model, given = model.float(), given.float()
    if moved := misplaced(model, given):
        return moved
    if not model.is_floating_point():
        return _part(place, model, given) or Relation("unknown", "")
    found = _few(model, given) or _part(place, model, given) or by_slices(place, model, given)
    return found or by_function(model, given) or _unrelated(model, given)


def _constant(place: Place, model: torch.Tensor) -> Relation:
    value = model.reshape(-1)[0].item()
    words = f"all {value:g}" if not isinstance(value, (bool, complex)) else f"all {value}"
    if place.is_magnitude:
        return Relation("weight-norm", f"{words}: the magnitude of the weight norm was not loaded")
    return Relation("missing-bias" if place.is_bias and not value else "not-loaded", words)


def _few(model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """Single elements that are wrong, by their places."""
    unequal = model != given
    if not 0 < int(unequal.sum()) <= min(MOST_PLACES, model.numel() // 2):
        return None
    said = [
        f"{at} is {model[tuple(at)].item():g}, not {given[tuple(at)].item():g}" for at in unequal.nonzero().tolist()
    ]
    return Relation("not-loaded", f"the checkpoint's, but {'; '.join(said)}")


def _part(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """What is wrong with the slices that differ, where others are right."""
    wrong = [differing(model, given, axis) for axis in range(model.dim())]
    shares = [len(found) / max(1, model.shape[axis]) for axis, found in enumerate(wrong)]
    axis = min(range(model.dim()), key=shares.__getitem__, default=-1)
    if axis < 0 or shares[axis] == 1:
        return None
    found = wrong[axis]
    held, right = (tensor.index_select(axis, found.to(tensor.device)) for tensor in (model, given))
    inner = _inner(place, held, right)
    what = _slices(model.dim(), axis) + ("" if len(found) == 1 else "s")
    words = f"the checkpoint's except {what} {index_words(found)}: {inner.words}"
    if inner.cause == "missing-bias":
        return Relation("not-loaded", words)
    if what == "row" and not held.any():
        return Relation("padding-idx", words)
    return Relation(inner.cause, words)


def _slices(dimensions: int, axis: int) -> str:
    if dimensions == 1:
        return "element"
    return ("row", "column")[axis] if dimensions == 2 else f"axis {axis} slice"


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


def _unrelated(model: torch.Tensor, given: torch.Tensor) -> Relation:
    """A start, memory that was never written, or the checkpoint's numbers after a change without a name."""
    return next(_looks(model, given), Relation("not-loaded", "unlike the checkpoint's"))


def _looks(model: torch.Tensor, given: torch.Tensor) -> Iterator[Relation]:
    if close(model, given):
        yield Relation("unknown", "the checkpoint's up to rounding")
    wild = int((~model.isfinite()).sum())
    if wild and bool(given.isfinite().all()):
        yield Relation("not-loaded", f"NaN or infinite in {wild:,} elements")
    distance = _distance(model, given)
    if distance > HUGE:
        yield Relation("not-loaded", f"of a size up to {float(model.abs().max()):.2g}: memory that was never written?")
    if distance < CLOSE and model.numel() > 1:
        levels = _levels(model)
        what = f"the checkpoint's quantised to {levels} values" if levels else "close to the checkpoint's"
        yield Relation("dtype-cast" if levels else "unknown", f"{what}, at a relative distance of {distance:.2g}")
    if look := start_like(model.reshape(-1)[:BLOCK]):
        yield Relation("not-loaded", look.removeprefix("is "))


def _distance(model: torch.Tensor, given: torch.Tensor) -> float:
    """Norm of the difference, relative to the norm of the second."""
    apart = size = 0.0
    for one, other in blocks(model, given):
        apart += float((one.double() - other.double()).square().sum())
        size += float(other.double().square().sum())
    return math.sqrt(apart / size) if size else math.inf


def _levels(model: torch.Tensor) -> int:
    """How many different values a tensor has that has very few for its size; 0 for any other."""
    flat = model.reshape(-1)
    if flat.numel() <= 4 * QUANTISED or len(torch.unique(flat[: 4 * QUANTISED])) > QUANTISED:
        return 0
    count = len(torch.unique(flat))
    return count if count <= QUANTISED else 0
