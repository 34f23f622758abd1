"""What two runs returned, held against each other by name or by position: outputs alone, without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from porting.comparison.metrics import compare_tensors
from porting.comparison.positions import Positions
from porting.comparison.traces import NamedComparison
from porting.tolerance import Tolerance
from porting.trace import flatten, is_named

Pair = tuple[str, torch.Tensor, torch.Tensor]


def compare_results(
    original: Any,
    ported: Any,
    tolerance: Tolerance,
    *,
    pairs: Sequence[Pair] | None = None,
    valid: torch.Tensor | None = None,
) -> tuple[NamedComparison, ...]:
    """Compare what two forwards returned, one output after the other.

    Args:
        original: what the original's returned.
        ported: what the port's returned.
        tolerance: that decides.
        pairs: what corresponds, if somebody said it; else see `paired_results`.
        valid: bool over (batch, sequence) of what counts; None: everything.
    """
    positions = Positions(valid)
    corresponding = paired_results(original, ported) if pairs is None else pairs
    return tuple(
        NamedComparison(name, compare_tensors(one, other, tolerance, positions.mask(other, leaf=name)))
        for name, one, other in corresponding
    )


def paired_results(original: Any, ported: Any) -> list[Pair]:
    """The tensors of two results that correspond, none of them empty: by common names, else in order."""
    (left_structure, left), (right_structure, right) = flatten(original), flatten(ported)
    ones, others = (
        {name: leaf for name, leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.numel()}
        for leaves in (left, right)
    )
    common = [name for name in others if name in ones]
    if is_named(left_structure) and is_named(right_structure) and common:
        return [(name, ones[name], others[name]) for name in common]
    named = zip(others, ones.values(), others.values(), strict=False)
    return [(name or "output", one, other) for name, one, other in named]
