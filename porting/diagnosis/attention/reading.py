"""An attention as it was met in a running forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from porting.diagnosis.attention.model import Attention
from porting.diagnosis.attention.operands import Back, Product, four, product_of
from porting.diagnosis.attention.origins import side_of
from porting.diagnosis.attention.scores import Scores, bias_of, read_scores
from porting.diagnosis.attention.watching import Node, Watch

SLOTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


@dataclass(frozen=True, slots=True)
class Met:
    """An attention that was met.

    Attributes:
        attention: what it computes; where only its weights are known by then, its values are its keys.
        stage: what was met of it: ``scores``, ``weights`` or ``result``.
        tensor: that, as the port's own code made it.
        back: brings it, as (batch, heads, queries, ...), into the port's form.
        weights: where a result is made, the port's tensor of weights, which its code may return.
    """

    attention: Attention
    stage: str
    tensor: torch.Tensor
    back: Back
    weights: torch.Tensor | None = None


def read_attention(watch: Watch, node: Node, soft: Node | None, batch: int) -> Met | None:
    """The attention whose weights or result a node is; None where its form is not understood."""
    if soft is None:
        return _fused(watch, node)
    scores = read_scores(soft.parents[0]) if soft.parents else None
    if scores is None:
        return None
    if node is soft:
        return _weights(scores, soft, batch)
    mixing = product_of(node)
    return None if mixing is None else _result(scores, soft, node, mixing, batch)


def read_arriving(node: Node, axis: int, batch: int) -> Met | None:
    """The attention whose scores a node is, on their way to a softmax along ``axis``."""
    scores = read_scores(node)
    if scores is None:
        return None
    attention = _attention(scores, scores.product.makers[1], None, axis, node.tensor.dtype, batch)
    return Met(attention, "scores", node.tensor, lambda tensor: tensor.reshape(node.tensor.shape))


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
    return Met(attention, "result", node.tensor, lambda tensor: tensor.reshape(node.tensor.shape))


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


def _weights(scores: Scores, soft: Node, batch: int) -> Met:
    attention = _attention(scores, scores.product.makers[1], None, _axis(soft), soft.tensor.dtype, batch)
    return Met(attention, "weights", soft.tensor, lambda tensor: tensor.reshape(soft.tensor.shape))


def _result(scores: Scores, soft: Node, node: Node, mixing: Product, batch: int) -> Met:
    attention = _attention(scores, mixing.makers[1], mixing.right, _axis(soft), soft.tensor.dtype, batch)
    return Met(
        attention, "result", node.tensor, lambda tensor: mixing.back(tensor.reshape(mixing.shape())), mixing.left
    )


def _attention(
    scores: Scores, maker: Node, value: torch.Tensor | None, axis: int, dtype: torch.dtype, batch: int
) -> Attention:
    product = scores.product
    key = product.right.transpose(-1, -2)
    used = [four(tensor, batch) for tensor in (product.left, key, key if value is None else value)]
    rows, heads = (max(tensor.shape[place] for tensor in used) for place in (0, 1))
    used = [tensor.expand(rows, heads, -1, -1) for tensor in used]
    dims = scores.tensor.dim()
    return Attention(
        side_of(product.makers[0], used[0]),
        side_of(product.makers[1], used[1]),
        side_of(maker, used[2]),
        scale=scores.scale,
        bias=_narrow(bias_of(scores), rows),
        cap=scores.cap,
        axis=axis % dims - dims,
        dtype=dtype,
        opaque=scores.opaque,
    )


def _axis(soft: Node) -> int:
    named = dict(zip(("input", "dim"), soft.args, strict=False)) | soft.kwargs
    axis = named.get("dim", named.get("axis", -1))
    return -1 if axis is None else int(axis)
