"""Dropout: zeros at random places, and the rest scaled to make up for them."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.comparison.relations.model import Proposal
from porting.comparison.relations.pair import MARGIN, Pair

SIGMAS = 6


def propose(pair: Pair) -> Iterator[Proposal]:
    """In the wrong tensor; nothing brings the zeroed values back."""
    if pair.logical or pair.equations < 4 * MARGIN:
        return
    known = pair.r.abs() > pair.floor
    dropped = known & (pair.w == 0)
    kept = known & ~dropped
    zeros, rest = int(dropped.sum()), int(kept.sum())
    if zeros < 2 or rest < 2 * MARGIN or _one_sided(pair.r[dropped]):
        return
    w, r = pair.w[kept], pair.r[kept]
    factor = float((w @ r) / (w @ w))
    if float((factor * w - r).abs().max()) > pair.floor or not 0 < factor <= 1 + 1e-6:
        return
    share = zeros / (zeros + rest)
    spread = SIGMAS * (share * (1 - share) / (zeros + rest)) ** 0.5
    scaled = abs(share - (1 - factor)) <= spread
    if not scaled and abs(factor - 1) > 1e-5:
        return
    rate = round(1 - factor, 4) if scaled else round(share, 2)
    rest_text = f"the rest scaled by {1 / factor:.4g}" if scaled else "the rest not scaled"
    yield Proposal(
        kind="dropout",
        text=f"{100 * share:.0f}% zeros at random places, {rest_text} (dropout of {rate:g} is active)",
        parameters={"p": rate, "zeros": share, "factor": factor},
        change=None,
        cost=1.0,
    )


def _one_sided(values: torch.Tensor) -> bool:
    """Whether all values have one sign: that is a limit, as of a relu."""
    return len(values) >= 2 * MARGIN and bool((values > 0).all() | (values < 0).all())
