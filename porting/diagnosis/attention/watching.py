"""Find the attention in a forward as it runs: the softmax between two products, however it is written."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

FUSED = "scaled_dot_product_attention"
SOFTMAX = ("softmax", "_softmax")
PRODUCTS = ("matmul", "__matmul__", "bmm", "baddbmm", "baddbmm_", "einsum")
MOST_STEPS = 400
"""Steps of a computation that are followed backwards."""


class Node:
    """A tensor at one moment: which function made it, of what."""

    __slots__ = ("args", "index", "kwargs", "name", "parents", "tensor")

    def __init__(
        self, index: int, name: str, tensor: torch.Tensor, parents: list[Node], args: Any, kwargs: dict[str, Any]
    ) -> None:
        self.index, self.name, self.tensor, self.parents = index, name, tensor, parents
        self.args, self.kwargs = args, kwargs

    def before(self) -> Iterator[Node]:
        """This node and what it was made of, nearest first."""
        queue, seen = [self], {id(self)}
        while queue and len(seen) < MOST_STEPS:
            node = queue.pop(0)
            yield node
            for parent in node.parents:
                if id(parent) not in seen:
                    seen.add(id(parent))
                    queue.append(parent)


class Watch(TorchFunctionMode):
    """Follows the tensors of a forward, and hands each attention that it meets to ``met``.

    Args:
        met: given the node of an attention's weights (its softmax) or result, and of its softmax (None for a fused
            kernel); may return another tensor to go on with.
    """

    def __init__(self, met: Callable[[Node, Node | None], torch.Tensor | None]) -> None:
        super().__init__()
        self.met = met
        self._nodes: dict[int, Node] = {}
        self._count = 0

    def __torch_function__(self, func: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function, and note what it made."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.multi_head_attention_forward:
            with self:
                return _unwrapped(func)(*args, **kwargs)
        parents = self._parents(func, args, kwargs)
        result = func(*args, **kwargs)
        if not any(isinstance(leaf, torch.Tensor) for leaf in tree_leaves(result)):
            return result
        name = str(getattr(func, "__name__", ""))
        nodes = [self._node(name, leaf, parents, args, kwargs) for leaf in tree_leaves(result) if _is_tensor(leaf)]
        other = self._attention(nodes[0]) if isinstance(result, torch.Tensor) else None
        if other is None:
            return result
        self._node(name, other, parents, args, kwargs)
        return other

    def node(self, tensor: torch.Tensor) -> Node:
        """The node of a tensor; one without a past if it was not made here."""
        found = self._nodes.get(id(tensor))
        return found if found is not None else self._node("", tensor, [], (), {})

    def _attention(self, node: Node) -> torch.Tensor | None:
        if node.name == FUSED:
            return self.met(node, None)
        if node.name in SOFTMAX:
            return self.met(node, node)
        if node.name not in PRODUCTS:
            return None
        soft = next((found for parent in node.parents[:3] if (found := _softmax(parent)) is not None), None)
        return None if soft is None else self.met(node, soft)

    def _parents(self, func: Any, args: Any, kwargs: dict[str, Any]) -> list[Node]:
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if _is_tensor(leaf)]
        if getattr(func, "__name__", "") in ("to", "type_as", "view_as", "expand_as", "reshape_as"):
            leaves = leaves[:1]
        return [self.node(leaf) for leaf in leaves]

    def _node(self, name: str, tensor: torch.Tensor, parents: list[Node], args: Any, kwargs: dict[str, Any]) -> Node:
        self._count += 1
        node = Node(self._count, name, tensor, parents, args, kwargs)
        self._nodes[id(tensor)] = node
        return node


def _softmax(node: Node) -> Node | None:
    """The softmax that a tensor comes from, with nothing but casts, dropout and the like in between."""
    for _ in range(8):
        if node.name in SOFTMAX:
            return node
        if node.name in PRODUCTS or node.name == FUSED or not node.parents:
            return None
        if node.parents[0].tensor.numel() != node.tensor.numel():
            return None
        node = node.parents[0]
    return None


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor)


def _unwrapped(func: Any) -> Any:
    """A function of torch that does not hand itself over to a mode, so that the mode sees its steps."""
    named = {**func.__globals__, "has_torch_function": lambda *_: False}
    unwrapped = types.FunctionType(func.__code__, named, func.__name__, func.__defaults__)
    unwrapped.__kwdefaults__ = func.__kwdefaults__
    return unwrapped
