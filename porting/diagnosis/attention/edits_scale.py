"""``attention-scale``, ``softcap``, ``softmax-axis`` and ``compute-dtype``: how scores become weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from porting.diagnosis.attention.bench import Bench
from porting.diagnosis.attention.clues import Clues
from porting.diagnosis.attention.model import Attention, Edit

AXES = {-1: "keys", -2: "queries", -3: "heads"}


def scale_edits(bench: Bench) -> Iterator[Edit]:
    """Another scale: one that is usual, one that the original's settings name, and else the one that fits."""
    port = bench.attention.total_scale
    for target in _scales(bench.attention, bench.clues):
        if math.isfinite(target) and target > 0 and abs(target / port - 1) > 1e-6:
            yield _scaled(port, target)
    fitted = fit(lambda ratio: bench.misses(_scaled(port, port * ratio).change))
    if fitted is not None:
        yield _scaled(port, float(f"{port * fitted:.6g}"))


def softmax_edits(bench: Bench) -> Iterator[Edit]:
    """A softmax along another axis, or in another precision."""
    port = bench.attention
    for axis, name in AXES.items():
        if axis != port.axis:
            yield Edit(
                "softmax-axis",
                f"the softmax runs over the {AXES.get(port.axis, 'batch')}, the original's over the {name}",
                f"take the softmax over the {name} (dim={axis} of batch, heads, queries, keys)",
                partial(_but, axis=axis),
            )
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        if dtype != port.dtype:
            yield Edit(
                "compute-dtype",
                f"the softmax is computed in {_short(port.dtype)}, the original's in {_short(dtype)}",
                f"compute the softmax in {_short(dtype)}, and cast the weights back",
                partial(_but, dtype=dtype),
            )


def cap_edits(bench: Bench) -> Iterator[Edit]:
    """Scores capped by a tanh where they are not, or the other way round, or at another value."""
    port = bench.attention.cap
    if port is not None:
        yield _capped(port, None)
    for cap in dict.fromkeys([*bench.clues.named("cap"), 50.0, 30.0, 20.0, 10.0]):
        if cap > 0 and cap != port:
            yield _capped(port, cap)
    fitted = fit(lambda ratio: bench.misses(_capped(port, (port or 20.0) * ratio).change))
    if fitted is not None:
        yield _capped(port, float(f"{(port or 20.0) * fitted:.5g}"))


def fit(misses: Callable[[float], float]) -> float | None:
    """The factor at which something fits: a search over its logarithm; None if it fits nowhere."""
    grid = [2.0 ** (step / 2) for step in range(-16, 17)]
    found = [misses(ratio) for ratio in grid]
    best = min(range(len(grid)), key=found.__getitem__)
    if not 0 < best < len(grid) - 1 or found[best] > 0.9 * max(found[best - 1], found[best + 1]):
        return None
    low, high = math.log(grid[best - 1]), math.log(grid[best + 1])
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        one, other = high - golden * (high - low), low + golden * (high - low)
        if misses(math.exp(one)) < misses(math.exp(other)):
            high = other
        else:
            low = one
    ratio = math.exp((low + high) / 2)
    return ratio if misses(ratio) <= 1 and abs(ratio - 1) > 1e-5 else None


def _scales(port: Attention, clues: Clues) -> list[float]:
    width = port.query.before.shape[-1]
    total, whole = port.total_scale, width * port.query.heads
    usual = [width**-0.5, 1.0, whole**-0.5, 1 / width, width**-0.25, width**0.5, 1 / whole]
    relative = [total * width**-0.5, total * width**0.5, total**0.5, total * total]
    named = clues.named("scal", "head_dim", "head_size", "attn", "query", "dim", "d_k", "size")
    told = [value for number in named if number > 0 for value in (number, 1 / number, number**-0.5)]
    return list(dict.fromkeys([*usual, *relative, *told]))


def _scaled(port: float, target: float) -> Edit:
    return Edit(
        "attention-scale",
        f"the attention scores are scaled by {port:.6g}, the original's by {target:.6g}",
        f"scale the product of queries and keys by {target:.6g} in all",
        partial(_rescaled, ratio=target / port),
    )


def _rescaled(attention: Attention, ratio: float) -> Attention:
    return attention.but(scale=attention.scale * ratio)


def _capped(port: float | None, cap: float | None) -> Edit:
    ours, theirs = ("are not capped" if c is None else f"are capped at {c:g}" for c in (port, cap))
    return Edit(
        "softcap",
        f"the attention scores {ours}, the original's {theirs}",
        "leave the cap out" if cap is None else f"use cap * tanh(scores / cap) with a cap of {cap:g} before the mask",
        partial(_but, cap=cap),
    )


def _but(attention: Attention, **changed: Any) -> Attention:
    return attention.but(**changed)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
