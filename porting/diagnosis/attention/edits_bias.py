"""``relative-bias``: what is added to the scores beside the mask."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch

from porting.diagnosis.attention.bench import Bench
from porting.diagnosis.attention.biases import is_open, soft_bias, views_as_bias
from porting.diagnosis.attention.model import Attention, Edit

Tensors = Callable[[torch.Tensor], torch.Tensor]


def bias_edits(bench: Bench) -> Iterator[Edit]:
    """The port's own bias changed, one that was at hand added, or slopes over distances."""
    port = bench.attention
    soft = soft_bias(port)
    if soft is not None and not port.opaque:
        yield from _own_changed(port, soft)
    for name, tensor in bench.clues.tensors.items():
        for view in views_as_bias(tensor, port):
            for sign in (1, -1):
                yield _added(f"{name}{'' if sign > 0 else ' negated'}", view * sign)
    for name, slopes in _slopes(port):
        yield _added(name, slopes)


def _own_changed(port: Attention, soft: torch.Tensor) -> Iterator[Edit]:
    scale = port.scale
    ways: dict[str, Tensors] = {
        "has none": torch.zeros_like,
        "has the other sign": torch.neg,
        "is the transpose": lambda t: t.transpose(-1, -2),
        "is half of it: it is added twice": lambda t: t / 2,
        "is twice as large": lambda t: t * 2,
        "has the heads in the other order": lambda t: t.flip(-3),
        "has the queries in the other order": lambda t: t.flip(-2),
        "has the keys in the other order": lambda t: t.flip(-1),
        "is not scaled with the scores": lambda t: t / scale,
        "is scaled with the scores": lambda t: t * scale,
    }
    heads = soft.shape[-3] if soft.dim() > 2 else 1
    if heads > 1:
        ways |= {f"is {n} heads on": partial(torch.roll, shifts=-n, dims=-3) for n in (1, -1)}
    for told, change in ways.items():
        if "transpose" in told and soft.shape[-1] != soft.shape[-2]:
            continue
        yield Edit(
            "relative-bias",
            f"the bias of the attention scores is not the original's, which {told}",
            f"make the bias as the original does: it {told}",
            partial(_changed, change=change),
        )


def _added(name: str, bias: torch.Tensor) -> Edit:
    return Edit(
        "relative-bias",
        f"the bias of the attention scores is not the original's, which is {name}",
        f"add {name} to the scores",
        partial(_replaced, bias=bias),
    )


def _changed(attention: Attention, change: Tensors) -> Attention:
    soft = soft_bias(attention)
    return attention if soft is None else _replaced(attention, change(soft))


def _replaced(attention: Attention, bias: torch.Tensor) -> Attention:
    closed = torch.finfo(attention.query.before.dtype).min
    return attention.but(bias=torch.where(is_open(attention), bias.to(attention.query.before.dtype), closed))


def _slopes(port: Attention) -> Iterator[tuple[str, torch.Tensor]]:
    """Linear biases over distances, one slope for each head."""
    _, heads, length, keys = port.shape()
    ahead = torch.arange(keys)[None] - torch.arange(length)[:, None] - (keys - length)
    if heads < 2:
        return
    for told, slopes in _ladders(heads):
        for name, distance in (("distance to the key", ahead), ("the distance either way", -ahead.abs())):
            for sign in (1, -1):
                text = f"ALiBi: {'' if sign > 0 else 'minus '}{name} times slopes {told}"
                yield text, sign * slopes[:, None, None] * distance.to(slopes.dtype)


def _ladders(heads: int) -> Iterator[tuple[str, torch.Tensor]]:
    even = 2 ** math.floor(math.log2(heads))
    up = 2 ** math.ceil(math.log2(heads))
    plain = _powers(heads, 1)
    yield f"2 ** (-8 (h + 1) / {heads})", plain
    yield f"2 ** (-8 h / {heads})", _powers(heads, 0)
    yield "in the other order of heads", plain.flip(0)
    if even != heads:
        longer = _powers(up, 1)
        yield (
            "of the nearest powers of two, one after the other",
            torch.cat((_powers(even, 1), _powers(2 * even, 1)[::2][: heads - even])),
        )
        yield "of the next power of two, every second first", torch.cat((longer[1::2], longer[::2]))[:heads]


def _powers(count: int, first: int) -> torch.Tensor:
    return 2.0 ** (-8.0 * torch.arange(first, count + first) / count)
