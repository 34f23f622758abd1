"""Comparison: how far apart two aligned tensors are, and where two traces first diverge."""

from __future__ import annotations

from porting.comparison.layout import Layout, find_layout
from porting.comparison.metrics import TensorComparison, compare_tensors
from porting.comparison.pairing import LeafPair, pair_leaves
from porting.comparison.positions import Positions, position_mask
from porting.comparison.traces import CallComparison, Comparison, NamedComparison, compare

__all__ = [
    "CallComparison",
    "Comparison",
    "Layout",
    "LeafPair",
    "NamedComparison",
    "Positions",
    "TensorComparison",
    "compare",
    "compare_tensors",
    "find_layout",
    "pair_leaves",
    "position_mask",
]
