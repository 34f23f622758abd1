"""An attention as it was met in a running forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from porting.diagnosis.attention.model import Attention
from porting.diagnosis.attention.operands import Back, four, product_of
from porting.diagnosis.attention.origins import side_of
from porting.diagnosis.attention.scores import bias_of, read_scores
from porting.diagnosis.attention.watching import Node, Watch

SLOTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


@dataclass(frozen=True, slots=True)
class Met:
    """An attention that was met.

    Attributes:
        attention: what it computes.
        result: what the port's own code made of it, in the port's form.
        back: brings (batch, heads, length, channels) into that form.
        weights: the port's own weights, where its code has them: as the softmax made them, and as they were used.
    """

    attention: Attention
    result: torch.Tensor
    back: Back
    weights: tuple[torch.Tensor, ...] = ()


def read_attention(watch: Watch, node: Node, soft: Node | None, batch: int) -> Met | None:
    """The attention that ends at a node; None where its form is not understood."""
    return _fused(watch, node) if soft is None else _eager(node, soft, batch)


def _fused(watch: Watch, node: Node) -> Met | None:
    named: dict[str, Any] = dict(zip(SLOTS, node.args, strict=False)) | node.kwargs
    query, key, value = (named[name] for name in SLOTS[:3])
    batch = len(query)
    used = [four(tensor, batch) for tensor in (query, key, value)]
    heads = used[0].shape[1]
    used = [tensor.repeat_interleave(heads // tensor.shape[1], 1) for tensor in used]
    nodes = [watch.node(tensor) for tensor in (query, key, value)]
    scale = named.get("scale")
    attention = Attention(
        side_of(nodes[0], used[0]),
        side_of(nodes[1], used[1]),
        side_of(nodes[2], used[2]),
        scale=float(query.shape[-1] ** -0.5 if scale is None else scale),
        bias=_mask(named, query, key),
        cap=None,
        axis=-1,
        dtype=query.dtype,
    )
    return Met(attention, node.tensor, lambda tensor: tensor.reshape(node.tensor.shape))


def _mask(named: dict[str, Any], query: torch.Tensor, key: torch.Tensor) -> torch.Tensor | None:
    """The mask of a fused kernel as what is added to the scores."""
    mask = named.get("attn_mask")
    if named.get("is_causal"):
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        closed = torch.finfo(query.dtype).min
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, closed)
    return _narrow(mask, len(query))


def _narrow(bias: torch.Tensor | None, batch: int) -> torch.Tensor | None:
    """A bias as (batch or 1, heads or 1, queries, keys): one head where all are alike."""
    if bias is None:
        return None
    bias = four(bias, batch)
    return bias[:, :1] if bool((bias == bias[:, :1]).all()) else bias


def _eager(node: Node, soft: Node, batch: int) -> Met | None:
    scores, mixing = read_scores(soft), product_of(node)
    if scores is None or mixing is None:
        return None
    raw, made = scores.product, soft.tensor
    used = [four(tensor, batch) for tensor in (raw.left, raw.right.transpose(-1, -2), mixing.right)]
    rows, heads = (max(tensor.shape[axis] for tensor in used) for axis in (0, 1))
    used = [tensor.expand(rows, heads, -1, -1) for tensor in used]
    bias = bias_of(scores)
    attention = Attention(
        side_of(raw.makers[0], used[0]),
        side_of(raw.makers[1], used[1]),
        side_of(mixing.makers[1], used[2]),
        scale=scores.scale,
        bias=_narrow(bias, rows),
        cap=scores.cap,
        axis=_axis(soft) % made.dim() - made.dim(),
        dtype=made.dtype,
    )
    return Met(attention, node.tensor, lambda tensor: mixing.back(tensor.reshape(mixing.shape())), (made, mixing.left))


def _axis(soft: Node) -> int:
    named = dict(zip(("input", "dim"), soft.args, strict=False)) | soft.kwargs
    axis = named.get("dim", named.get("axis", -1))
    return -1 if axis is None else int(axis)
