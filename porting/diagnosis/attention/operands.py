"""The operands of a product of tensors in one form, however it is written: (batch, heads, rows, columns)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from porting.diagnosis.attention.watching import Node

Back = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Product:
    """A product of two stacks of matrices.

    Attributes:
        left: (..., rows, inner), the tensor itself or a view of it.
        right: (..., inner, columns).
        scale: what the product is multiplied by.
        back: brings (..., rows, columns) into the form of the result.
        makers: the nodes of both tensors.
    """

    left: torch.Tensor
    right: torch.Tensor
    scale: float
    back: Back
    makers: tuple[Node, Node]

    def shape(self) -> tuple[int, ...]:
        """(..., rows, columns)."""
        leading = self.left[..., 0, 0].shape, self.right[..., 0, 0].shape
        return (*map(max, *_even(*leading)), self.left.shape[-2], self.right.shape[-1])


def product_of(node: Node) -> Product | None:
    """The product that a node is; None where its form is not understood."""
    if len(node.parents) < 2:
        return None
    if node.name == "einsum":
        return _einsum(node)
    makers = node.parents[-2], node.parents[-1]
    if node.name.startswith("baddbmm"):
        names = dict(zip(("input", "batch1", "batch2"), node.args, strict=False)) | node.kwargs
        return Product(names["batch1"], names["batch2"], float(names.get("alpha", 1)), _same, makers)
    left, right = (maker.tensor for maker in makers)
    return None if min(left.dim(), right.dim()) < 2 else Product(left, right, 1.0, _same, makers)


def four(tensor: torch.Tensor, batch: int) -> torch.Tensor:
    """A stack of matrices as (batch, heads, rows, columns)."""
    if tensor.dim() == 3 and tensor.shape[0] % batch == 0 and tensor.shape[0] > 1:
        return tensor.reshape(batch, -1, *tensor.shape[1:])
    while tensor.dim() < 4:
        tensor = tensor[None]
    return tensor.flatten(0, -4) if tensor.dim() > 4 else tensor


def _einsum(node: Node) -> Product | None:
    equation, *operands = node.args
    operands = list(operands[0]) if isinstance(operands[0], (list, tuple)) else operands
    if not isinstance(equation, str) or len(operands) != 2 or "->" not in equation or "." in equation:
        return None
    inputs, out = equation.replace(" ", "").split("->")
    one, other = inputs.split(",")
    inner = [label for label in one if label in other and label not in out]
    rows = [label for label in one if label not in other]
    columns = [label for label in other if label not in one]
    if len(inner) != 1 or len(rows) != 1 or len(columns) != 1:
        return None
    shared = [label for label in out if label in one and label in other]
    left = operands[0].permute([one.index(label) for label in (*shared, *rows, *inner)])
    right = operands[1].permute([other.index(label) for label in (*shared, *inner, *columns)])
    order = [[*shared, *rows, *columns].index(label) for label in out]
    return Product(left, right, 1.0, lambda tensor: tensor.permute(order), (node.parents[-2], node.parents[-1]))


def _even(one: torch.Size, other: torch.Size) -> tuple[list[int], list[int]]:
    """Two shapes of equal length, filled up with ones in front."""
    length = max(len(one), len(other))
    return [1] * (length - len(one)) + list(one), [1] * (length - len(other)) + list(other)


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
