"""Leaves of a trace in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.text import show

if TYPE_CHECKING:
    from porting.trace.parts import Leaf, Value


def leaf_words(leaf: Leaf) -> str:
    """What a leaf is: dtype and shape of a tensor, why one was not recorded, a class, or the value."""
    tensor = f"{show(leaf.dtype or 'tensor', 30)} {shape_words(leaf.shape)}" if leaf.shape is not None else ""
    if leaf.tensor is not None:
        return tensor or show(leaf.dtype or "", 30)
    if leaf.type_name is not None:
        return f"{show(leaf.type_name, 80)} {tensor}".strip()
    return show(repr(leaf.value), 40)


def shape_words(shape: tuple[int, ...] | None) -> str:
    """A shape as Python writes it, cut in the middle if a damaged trace makes it long."""
    return show(tuple(shape or ()))


def tensor_words(value: Value) -> tuple[str, ...]:
    """The tensors of a value, and what would have been one, by name."""
    return tuple(
        f"{show(leaf.name, 40)} {leaf_words(leaf)}".strip()
        for leaf in value.leaves
        if leaf.tensor is not None or leaf.shape is not None or (leaf.type_name or "").startswith(_INSTEAD)
    )


_INSTEAD = ("left out", "not recorded", "nothing")
