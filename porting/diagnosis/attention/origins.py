"""What queries, keys and values were made from: followed back through rotations, repetition and factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from porting.diagnosis.attention.model import Side, repeated
from porting.diagnosis.attention.rotation import find_rotation, same
from porting.diagnosis.attention.watching import Node


def side_of(node: Node, used: torch.Tensor) -> Side:
    """A side of an attention from its earliest maker that it follows from.

    Args:
        node: of the tensor that was multiplied.
        used: the same as (batch, heads, length, channels).
    """
    for maker in sorted(node.before(), key=lambda each: each.index):
        for view in _views(maker.tensor, used):
            for order in ("interleave", "tile") if view.shape[1] < used.shape[1] else ("interleave",):
                side = _made(view, used, order)
                if side is not None:
                    return replace(side, holders=tuple(_holders(node, side)))
    return Side(used, None, 1.0, used.shape[1], used=used)


def _holders(node: Node, side: Side) -> Iterator[torch.Tensor]:
    """Views of tensors made on the way that hold what is multiplied, before heads are repeated."""
    whole = side.tensor()
    for maker in node.before() if side.turn is not None or side.gain != 1 or side.heads > 1 else ():
        for view in _views(maker.tensor, whole):
            if view.shape == side.before.shape and torch.equal(repeated(view, side.heads, side.order), whole):
                yield view


def _views(tensor: torch.Tensor, used: torch.Tensor) -> Iterator[torch.Tensor]:
    """A tensor as (batch, fewer or as many heads, length, channels), where it can be read so."""
    batch, heads, length, width = used.shape
    if not tensor.numel() or tensor.shape[-1:] != (width,) or used.numel() % tensor.numel():
        return
    if tensor.dtype != used.dtype:
        return
    if tensor.dim() == 3 and tensor.shape[1] == length and tensor.shape[0] % batch == 0:
        tensor = tensor.reshape(batch, -1, *tensor.shape[1:])
    if tensor.dim() > 4:
        tensor = tensor.flatten(0, -4)
    if tensor.dim() == 4 and tensor.shape[0] == batch:
        for view in (tensor, tensor.transpose(1, 2)):
            if view.shape[2] == length and heads % view.shape[1] == 0:
                yield view


def _made(before: torch.Tensor, used: torch.Tensor, order: str) -> Side | None:
    heads = used.shape[1]
    whole = repeated(before, heads, order)
    sizes = whole.double().norm(dim=-1), used.double().norm(dim=-1)
    total = float(sizes[0].norm())
    gain = float(sizes[1].norm()) / total if total else 1.0
    if abs(gain - 1) < 1e-5:
        gain = 1.0
    if not gain or not same(sizes[0] * gain, sizes[1]):
        return None
    if same(whole * gain, used):
        return Side(before, None, gain, heads, order, used)
    turn = find_rotation(whole if gain == 1 else whole * gain, used)
    return None if turn is None else Side(before, turn, gain, heads, order, used)
