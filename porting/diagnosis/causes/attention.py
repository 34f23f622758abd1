"""What goes wrong between the projections of an attention and its output: scale, mask, rotation, heads and so on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

import torch

from porting.diagnosis.attention.bench import Bench, benches_of
from porting.diagnosis.attention.editing import edited
from porting.diagnosis.attention.edits_bias import bias_edits
from porting.diagnosis.attention.edits_heads import count_edits, merge_edits, order_edits, repeat_edits, split_edits
from porting.diagnosis.attention.edits_mask import mask_edits, window_edits
from porting.diagnosis.attention.edits_norm import norm_edits
from porting.diagnosis.attention.edits_rope import rope_edits
from porting.diagnosis.attention.edits_scale import cap_edits, scale_edits, softmax_edits
from porting.diagnosis.attention.model import Edit
from porting.diagnosis.cause import Case, Cause, Repair
from porting.hooks.preserving import preserved

Family = Callable[[Bench], Iterator[Edit]]
FAMILIES: tuple[Family, ...] = (
    softmax_edits, mask_edits, order_edits, repeat_edits, merge_edits, split_edits, rope_edits, bias_edits,
    norm_edits, scale_edits, cap_edits, count_edits, window_edits,
)  # fmt: skip
MOST_PROPOSED = 4
"""Edits of one attention that are tried on the live port."""


class AttentionGlue(Cause):
    """An attention with one thing changed gives the original's tensor."""

    codes: ClassVar = (
        "attention-scale", "softcap", "softmax-axis", "compute-dtype", "causal-mask", "attention-mask",
        "attention-window", "rope-layout", "rope-applied", "rope-theta", "head-reshape", "head-count",
        "kv-repeat-order", "qkv-order", "relative-bias", "missing-norm",
    )  # fmt: skip
    rank: ClassVar = 3

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The edits that a cheap computation on recorded tensors does not rule out."""
        batch = _batch(case)
        for at, edit in _found(case, batch):
            apply = partial(edited, case.module, batch, edit.change, at)
            yield Repair(edit.code, edit.summary, edit.fix, apply)


def _found(case: Case, batch: int) -> Iterator[tuple[int, Edit]]:
    with preserved(case.module):
        try:
            benches = list(benches_of(case, batch))
        except Exception:  # the culprit's own code, on tensors that it has not met in that order
            return
    for bench in benches:
        proposed = 0
        for family in FAMILIES:
            with preserved(case.module):
                found = [edit for edit in family(bench) if bench.misses(edit.change) <= 1][:MOST_PROPOSED]
            for edit in found:
                if proposed < MOST_PROPOSED:
                    proposed += 1
                    yield bench.at, edit


def _batch(case: Case) -> int:
    """How many rows the culprit was given: the length of its first floating argument of three or more dimensions."""
    for tensor in case.moments[0].received().values():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.dim() > 2:
            return len(tensor)
    return 1
