"""``head-reshape``, ``head-count``, ``kv-repeat-order`` and ``qkv-order``: which channels are which head's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations

import torch

from porting.diagnosis.attention.bench import Bench
from porting.diagnosis.attention.model import Attention, Edit, Side

Tensors = Callable[[torch.Tensor], torch.Tensor]
NAMES = ("queries", "keys", "values")


def order_edits(bench: Bench) -> Iterator[Edit]:
    """Queries, keys and values taken for each other."""
    sides = bench.attention.sides
    for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        if all(sides[a].before.shape == sides[b].before.shape for a, b in enumerate(order)):
            told = ", ".join(f"{NAMES[a]} are the original's {NAMES[b]}" for b, a in enumerate(order) if a != b)
            yield Edit(
                "qkv-order",
                f"the {told}: the projections are taken in another order",
                "take queries, keys and values in the original's order",
                partial(_reordered, order=order),
            )
            if any(side.turn for side in sides):
                yield Edit(
                    "qkv-order",
                    f"the {told}, after they were turned by their positions",
                    "hand queries, keys and values to the attention in the original's order",
                    partial(_exchanged, order=order),
                )


def split_edits(bench: Bench) -> Iterator[Edit]:
    """Heads split from the projections in another way, or a fused projection cut in another way."""
    chosen = {"queries, keys and values": (0, 1, 2), "queries and keys": (0, 1), "keys and values": (1, 2)}
    chosen |= {name: (number,) for number, name in enumerate(NAMES)}
    for name, which in chosen.items():
        for told, change in _regroupings():
            yield Edit(
                "head-reshape",
                f"the {name} are split into heads in another way than the original's ({told})",
                "view the projection as (batch, length, heads, head size), then transpose heads before length",
                partial(_sides_changed, which=which, change=change),
            )
    cuts = ("3hd", "h3d", "hd3", "3dh")
    if len({side.before.shape for side in bench.attention.sides}) == 1:
        for port, original in permutations(cuts, 2):
            yield Edit(
                "qkv-order",
                f"the fused projection is cut as ({_spelled(port)}), the original's is ({_spelled(original)})",
                f"view the fused projection as ({_spelled(original)}) before it is cut, or reorder its rows",
                partial(_recut, port=port, original=original),
            )


def merge_edits(_: Bench) -> Iterator[Edit]:
    """Heads joined again in another way."""
    for told, change in _regroupings():
        yield Edit(
            "head-reshape",
            f"the heads are merged in another way than the original's ({told})",
            "transpose the result to (batch, length, heads, head size) before it is reshaped",
            partial(_merged, change=change),
        )


def repeat_edits(bench: Bench) -> Iterator[Edit]:
    """Grouped keys and values repeated in the other order."""
    groups = bench.attention.key.before.shape[1]
    if not 1 < groups < bench.attention.key.heads:
        return
    other = {"interleave": "tile", "tile": "interleave"}
    words = {"interleave": "each in turn (repeat_interleave)", "tile": "all of them again (repeat)"}
    own = bench.attention.key.order
    yield Edit(
        "kv-repeat-order",
        f"key and value heads are repeated {words[own]}, the original's {words[other[own]]}",
        f"repeat key and value heads {words[other[own]]}",
        lambda attention: attention.but(
            key=attention.key.but(order=other[own]), value=attention.value.but(order=other[own])
        ),
    )


def count_edits(bench: Bench) -> Iterator[Edit]:
    """Another number of heads, with the scale of their size or the port's own."""
    port = bench.attention
    heads, width = port.query.before.shape[1], port.query.before.shape[-1]
    told = [int(number) for number in bench.clues.named("head") if number == int(number)]
    for count in dict.fromkeys([*told, *range(1, 129)]):
        if 0 < count != heads and heads * width % count == 0 and heads * width // count > 1:
            for scale in ((count / heads) ** 0.5, 1.0):
                yield Edit(
                    "head-count",
                    f"the attention has {heads} heads, the original's {count}",
                    f"set the number of heads to {count}",
                    partial(_counted, width=heads * width // count, scale=scale),
                )


def _reordered(attention: Attention, order: tuple[int, ...]) -> Attention:
    sides = attention.sides
    new = [side.but(before=sides[source].before) for side, source in zip(sides, order, strict=True)]
    return attention.but(query=new[0], key=new[1], value=new[2])


def _exchanged(attention: Attention, order: tuple[int, ...]) -> Attention:
    query, key, value = (attention.sides[source] for source in order)
    return attention.but(query=query, key=key, value=value)


def _sides_changed(attention: Attention, which: tuple[int, ...], change: Tensors) -> Attention:
    sides = [side.but(before=change(side.before)) if n in which else side for n, side in enumerate(attention.sides)]
    return attention.but(query=sides[0], key=sides[1], value=sides[2])


def _merged(attention: Attention, change: Tensors) -> Attention:
    return attention.but(regroup=change)


def _regroupings() -> Iterator[tuple[str, Tensors]]:
    """Ways in which (batch, heads, length, channels) can have come from another reading of the same memory."""
    yield "heads and length are not transposed", lambda t: _flat(t.transpose(1, 2), t)
    yield "heads and length are transposed", lambda t: t.reshape(_turned(t)).transpose(1, 2)
    yield "as (size, heads)", lambda t: t.permute(0, 2, 3, 1).reshape(_turned(t)).transpose(1, 2)
    yield "as (heads, size)", lambda t: t.transpose(1, 2).reshape(_sized(t)).permute(0, 3, 1, 2)


def _flat(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(like.shape)


def _turned(tensor: torch.Tensor) -> tuple[int, ...]:
    batch, heads, length, width = tensor.shape
    return batch, length, heads, width


def _sized(tensor: torch.Tensor) -> tuple[int, ...]:
    batch, heads, length, width = tensor.shape
    return batch, length, width, heads


def _recut(attention: Attention, port: str, original: str) -> Attention:
    """Queries, keys and values laid side by side as the port cut them, and cut as the original does."""
    sizes = {"3": 3, "h": attention.query.before.shape[1], "d": attention.query.before.shape[-1]}
    stacked = torch.stack([side.before for side in attention.sides], 2).permute(0, 3, 2, 1, 4)  # b t 3 h d
    flat = stacked.permute(0, 1, *("3hd".index(axis) + 2 for axis in port)).flatten(2)
    cut = flat.reshape(*flat.shape[:2], *(sizes[axis] for axis in original))
    parts = cut.permute(2 + original.index("3"), 0, 2 + original.index("h"), 1, 2 + original.index("d"))
    new: list[Side] = [side.but(before=part) for side, part in zip(attention.sides, parts, strict=True)]
    return attention.but(query=new[0], key=new[1], value=new[2])


def _spelled(cut: str) -> str:
    return ", ".join({"3": "q k v", "h": "heads", "d": "head size"}[axis] for axis in cut)


def _counted(attention: Attention, width: int, scale: float) -> Attention:
    """Heads of another width, turned as wide heads are."""
    before = [_split(side.before, width) for side in attention.sides]
    count = before[0].shape[1]
    sides = [
        side.but(before=new, heads=count, turn=side.turn and side.turn.for_width(width, side.before.shape[-1]))
        for side, new in zip(attention.sides, before, strict=True)
    ]
    again = partial(_split, width=attention.value.before.shape[-1])
    return attention.but(query=sides[0], key=sides[1], value=sides[2], scale=attention.scale * scale, regroup=again)


def _split(tensor: torch.Tensor, width: int) -> torch.Tensor:
    """(batch, heads, length, channels) with heads of another width."""
    flat = tensor.transpose(1, 2).flatten(2)
    return flat.reshape(*flat.shape[:2], -1, width).transpose(1, 2)
