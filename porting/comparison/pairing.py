"""Which leaf of an original value is which of the ported one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from porting.assignment import assign
from porting.comparison.layout import Layout, Layouts, distance, find_layout, find_mask_layout
from porting.trace import Leaf, Trace, is_named
from porting.trace.parts import Value

IMPOSSIBLE = 1e6


@dataclass(frozen=True, slots=True)
class LeafPair:
    """Two leaves that correspond, and the layout between them."""

    original: Leaf
    ported: Leaf
    layout: Layout


def pair_leaves(
    original: Trace,
    one: Value,
    ported: Trace,
    other: Value,
    known: Layouts | None = None,
    said: Collection[tuple[str, str]] = (),
) -> list[LeafPair]:
    """Pair the tensors of two values: by shape, and where several fit by content, then name, then order.

    Args:
        original: the trace that ``one`` is from.
        one: inputs or outputs of an original call.
        ported: the trace that ``other`` is from.
        other: inputs or outputs of the aligned ported call.
        known: layouts seen where both sides are equal.
        said: names of leaves that are known to correspond.
    """
    left, right = list(one.tensor_leaves()), list(other.tensor_leaves())
    layouts = {
        (i, j): layout
        for i, a in enumerate(left)
        for j, b in enumerate(right)
        if (layout := _layout(original, a, ported, b, known)) is not None
    }
    if not layouts:
        return []
    costs = np.full((len(left), len(right)), IMPOSSIBLE)
    crowded = len(layouts) > 1
    for (i, j), layout in layouts.items():
        values = (layout.apply(original.tensor(left[i])), layout.view(ported.tensor(right[j])))
        content = distance(*values) if crowded else 0.0
        costs[i, j] = content + 0.1 * (left[i].name != right[j].name) + 0.01 * abs(i - j)
        costs[i, j] -= IMPOSSIBLE * ((left[i].name, right[j].name) in said)
    return [LeafPair(left[i], right[j], layouts[i, j]) for i, j in assign(costs) if (i, j) in layouts]


def pair_results(one: Value, other: Value) -> tuple[list[tuple[Leaf, Leaf]], list[str]]:
    """Pair what two runs returned: by name where both have names in common, else by position.

    Returns:
        The pairs, and the names of the leaves that stay without a partner.
    """
    left, right = list(one.tensor_leaves()), list(other.tensor_leaves())
    common = [leaf.name for leaf in right if leaf.name in {each.name for each in left}]
    if is_named(one.structure) and is_named(other.structure) and common:
        by_name = {leaf.name: leaf for leaf in left}
        pairs = [(by_name[leaf.name], leaf) for leaf in right if leaf.name in by_name]
    else:
        pairs = list(zip(left, right, strict=False))
    done = {id(leaf) for pair in pairs for leaf in pair}
    return pairs, _names(left, done, "original") + _names(right, done, "ported")


def said_results(
    original: Trace, ported: Trace, pairs: Sequence[tuple[str, torch.Tensor, torch.Tensor]]
) -> tuple[tuple[str, str], ...]:
    """The names of the models' own results that the user's (name, original, ported) pairs hold."""
    return tuple(
        (one, other) for _, first, second in pairs for one in _held(original, first) for other in _held(ported, second)
    )


def _held(trace: Trace, tensor: torch.Tensor) -> Iterator[str]:
    """The first of what the model itself returned that is this tensor."""
    outermost = (call for call in trace.completed if call.parent is None)
    leaves = (leaf for call in outermost for leaf in call.outputs.tensor_leaves() if leaf.shape == tuple(tensor.shape))
    names = (leaf.name for leaf in leaves if torch.equal(trace.tensor(leaf), tensor.detach().to("cpu")))
    yield from islice(names, 1)


def _names(leaves: Sequence[Leaf], done: set[int], side: str) -> list[str]:
    return [f"{side} {leaf.name or 'output'}" for leaf in leaves if id(leaf) not in done]


def _layout(original: Trace, a: Leaf, ported: Trace, b: Leaf, known: Layouts | None) -> Layout | None:
    tensor = original.tensor(a)
    if tensor.dim() > 2 and len(b.shape or ()) > 2:
        mask = find_mask_layout(tensor, ported.tensor(b))
        if mask is not None:
            return mask
    return find_layout(tensor, b.shape or (), ported.tensor(b), known) if _family(a) == _family(b) else None


def _family(leaf: Leaf) -> bool:
    return bool(leaf.dtype) and ("float" in str(leaf.dtype) or "complex" in str(leaf.dtype))
