"""Tensors with the right numbers in other places: axes exchanged, slices or taps in another order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

import torch

from porting.trace.bits import plain, same_bits
from porting.weights.audit.orders import Order, order_of
from porting.weights.audit.relation import Place, Relation
from porting.weights.audit.signatures import slices

MOST_AXES = 5
"""Axes whose exchanges are tried."""


def rearrangement(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """How a model's tensor was made of another by moving its numbers; None if no way is found.

    Args:
        place: the model's tensor, for words and code.
        model: its data.
        given: data of the same dtype, whose numbers are the same in some order.
    """
    for turned, words in _turns(model, given):
        if same(model, turned):
            return Relation("transposed", words)
    for turned, words in ((given, ""), *_turns(model, given)):
        if turned.shape == model.shape and (found := _reordered(place, model, turned)):
            return Relation("transposed", f"{words}; then {found.words}") if words else found
    return None


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors of one dtype are equal in shape and in every bit."""
    return one.shape == other.shape and same_bits(plain(one).cpu(), plain(other).cpu())


def _turns(model: torch.Tensor, given: torch.Tensor) -> Iterator[tuple[torch.Tensor, str]]:
    """The tensor with its axes in other orders, also where the result must be read in another shape."""
    axes = tuple(range(given.dim()))
    if 2 <= len(axes) <= MOST_AXES:
        for order in permutations(axes):
            turned = given.permute(order)
            if order != axes and turned.shape == model.shape:
                yield turned, _turned(order)
            elif order != axes and turned.numel() == model.numel():
                words = "the checkpoint's read in another shape, where its axes should be exchanged"
                yield turned.reshape(model.shape), words


def _turned(order: tuple[int, ...]) -> str:
    moved = [axis for axis, source in enumerate(order) if axis != source]
    if len(order) == 2:
        return "the checkpoint's, transposed"
    if moved == [len(order) - 2, len(order) - 1] and len(order) > 3:
        return "the checkpoint's with height and width of the kernel exchanged"
    return f"the checkpoint's with its axes in the order {', '.join(map(str, order))}"


def _reordered(place: Place, model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    taps = [axis for axis in range(2, model.dim()) if model.shape[axis] > 1]
    for count in range(1, len(taps) + 1):
        for axes in combinations(taps, count):
            if same(model, given.flip(axes)):
                return Relation("permuted", f"the checkpoint's with its taps reversed along {_axes(axes)}")
    for axis in range(model.dim()):
        order = order_of(slices(model, axis), slices(given, axis))
        if order and same(model, given.index_select(axis, order.taken.to(given.device))):
            return _ordered(place, axis, order)
    return _twice(model, given) if model.dim() > 1 else None


def _ordered(place: Place, axis: int, order: Order) -> Relation:
    fused = place.is_fused and axis < 2 and order.kind in ("blocks", "grid")
    words = f"the checkpoint's in another order along {_axes((axis,))}: {order.words}"
    return Relation("qkv-order" if fused else "permuted", words)


def _twice(model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """An order along the rows and another one within them."""
    first = order_of(slices(model, 0, ordered=False), slices(given, 0, ordered=False))
    if first is None:
        return None
    moved = given.index_select(0, first.taken.to(given.device))
    for axis in range(1, model.dim()):
        second = order_of(slices(model, axis), slices(moved, axis))
        if second and same(model, moved.index_select(axis, second.taken.to(given.device))):
            words = f"axis 0: {first.words}; {_axes((axis,))}: {second.words}"
            return Relation("permuted", f"the checkpoint's in another order along two axes: {words}")
    return None


def _axes(axes: tuple[int, ...]) -> str:
    return "axis " + " and ".join(map(str, axes))
