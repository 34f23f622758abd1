"""Rounded: the wrong tensor is the right one in fewer bits, or was computed in fewer."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.comparison.relations.model import Proposal, wide
from porting.comparison.relations.pair import Pair

LOWER = (torch.float8_e5m2, torch.float8_e4m3fn, torch.bfloat16, torch.float16, torch.float32)
"""Coarsest first: the values of a coarse one are mostly values of a finer one, too."""
ULPS = 64
"""Units in the last place, of the largest value, that a computation in lower precision may be off by."""
FEWEST = 16
EXACT = 0.9


def propose(pair: Pair) -> Iterator[Proposal]:
    """The lowest precision that holds the wrong tensor as it is."""
    if not pair.right.is_floating_point() or pair.r.numel() < FEWEST:
        return
    for dtype in LOWER:
        if torch.finfo(dtype).eps <= torch.finfo(pair.right.dtype).eps or not _held(pair.w, dtype):
            continue
        if not _held(pair.r, dtype, part=0.5) and _near(pair, dtype):
            yield _rounded(pair, dtype)
            return


def _held(values: torch.Tensor, dtype: torch.dtype, part: float = 1.0) -> bool:
    """Whether a dtype holds (that part of) the values as they are; zeros are no evidence, many ties neither."""
    some = values[values != 0]
    if torch.unique(some).numel() < FEWEST:
        return part < 1
    return float((_cast(some, dtype) == some).double().mean()) >= part


def _cast(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Rounded to a dtype and back, once: values come from float32 or less."""
    return wide(values.float().to(dtype)) if dtype != torch.float32 else values.float().double()


def _near(pair: Pair, dtype: torch.dtype) -> bool:
    return float((pair.w - pair.r).abs().max()) <= ULPS * torch.finfo(dtype).eps * pair.scale


def _rounded(pair: Pair, dtype: torch.dtype) -> Proposal:
    name = str(dtype).removeprefix("torch.")
    cast = float((_cast(pair.r, dtype) == pair.w).double().mean()) >= EXACT
    text = f"rounded to {name}" if cast else f"computed in {name}: it has no more precision than that"
    return Proposal(
        kind="rounded",
        text=text,
        parameters={"dtype": name, "cast": int(cast)},
        change=None,
        cost=0.2,
    )
