"""How the scores of an attention are made: which product, scaled by what, capped or not, and what is added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from porting.diagnosis.attention.operands import Product, product_of
from porting.diagnosis.attention.watching import PRODUCTS, SOFTMAX, Node

TIMES = ("mul", "__mul__", "__rmul__", "mul_", "__imul__", "multiply")
OVER = ("div", "__truediv__", "true_divide", "div_", "__itruediv__", "divide", "__div__")

CASTS = ("to", "type", "type_as", "float", "double", "half", "bfloat16")

PLUS = ("add", "__add__", "__radd__", "add_", "__iadd__", "sub", "__sub__", "masked_fill", "masked_fill_", "where")
FORMS = ("view", "reshape", "contiguous", "squeeze", "unsqueeze", "flatten", "unflatten", "clone", "clamp", "max")


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores before a softmax.

    Attributes:
        product: of queries and transposed keys.
        scale: of the product.
        cap: of the scaled product; None if it has none.
        opaque: whether any step is not understood.
        tensor: the scores themselves, as the softmax met them, before they were cast for it.
    """

    product: Product
    scale: float
    cap: float | None
    tensor: torch.Tensor
    opaque: bool

    def plain(self) -> torch.Tensor:
        """Scaled and capped, with nothing added, in the form of the scores."""
        scores = self.product.back(self.product.left @ self.product.right) * self.scale
        return scores if self.cap is None else self.cap * torch.tanh(scores / self.cap)


def read_scores(node: Node) -> Scores | None:
    """The scores that a softmax is given; None where they do not come from a product."""
    path = _path(node)
    product = product_of(path[0]) if path else None
    if path is None or product is None:
        return None
    scale, cap = product.scale, None
    opaque = not all(_is_plain(node, path[0]) for node in path[1:])
    for node in path[1:]:
        if node.name in ("tanh", "tanh_"):
            scale, cap = scale, 1.0
            continue
        factor = _factor(node)
        scale, cap = scale * factor, None if cap is None else cap * factor
    return Scores(product, scale, cap, _before_casts(node).tensor, opaque)


def bias_of(scores: Scores) -> torch.Tensor | None:
    """What is added to the scores, of their shape; None if it is nothing but rounding."""
    plain = scores.plain().to(scores.tensor.dtype)
    if plain.shape != scores.tensor.shape:
        plain = plain.reshape(scores.tensor.shape)
    bias = torch.nan_to_num(scores.tensor.double() - plain.double(), neginf=torch.finfo(torch.float32).min)
    bias = bias.clamp(min=torch.finfo(torch.float32).min)
    loose = 16 * torch.finfo(scores.tensor.dtype).eps * float(plain.abs().max())
    bias = torch.where(bias.abs() <= loose, 0.0, bias)
    return bias.to(plain.dtype) if bool(bias.any()) else None


def _path(node: Node) -> list[Node] | None:
    """From the nearest product to a node, by steps that keep the number of elements; None if there is none."""
    queue: list[list[Node]] = [[node]]
    while queue and len(queue) < 200:
        path = queue.pop(0)
        if path[0].name in PRODUCTS:
            return path
        if path[0].name in SOFTMAX:
            continue
        queue += [[parent, *path] for parent in path[0].parents if parent.tensor.numel() == node.tensor.numel()]
    return None


def _is_plain(node: Node, product: Node) -> bool:
    """Whether a step scales, caps, masks, adds what does not depend on the product, or changes the form."""
    if node.name not in (*TIMES, *OVER, *CASTS, *FORMS, *PLUS, "tanh", "tanh_"):
        return False
    dependent = [parent for parent in node.parents if any(each is product for each in parent.before())]
    return len(dependent) <= 1


def _before_casts(node: Node) -> Node:
    """What a tensor was before it was brought to another dtype."""
    while node.name in CASTS and node.parents and node.parents[0].tensor.shape == node.tensor.shape:
        node = node.parents[0]
    return node


def _factor(node: Node) -> float:
    """What a step multiplies by: 1 for all but a product with a number."""
    if node.name not in (*TIMES, *OVER):
        return 1.0
    others = [number for value in [*node.args, *node.kwargs.values()] if (number := _number(value)) is not None]
    if len(others) != 1:
        return 1.0
    return others[0] if node.name in TIMES else 1.0 / others[0]


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor):
        return float(value) if value.numel() == 1 else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
