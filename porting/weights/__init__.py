"""Weights: what a checkpoint holds, whether a model can hold it, and whether it does.

``headers`` and ``formats`` read names and shapes, ``rules`` say what becomes of them, ``matching`` holds that against
the model's, ``checking`` stops there, ``audit`` compares the data as well; both give a ``WeightsReport``.
"""

from __future__ import annotations

from porting.weights.audit.auditing import assert_loaded, audit_loaded
from porting.weights.checking import build_on_meta, check_weights
from porting.weights.headers import CheckpointHeaders, CheckpointTensor, read_headers
from porting.weights.report import Finding, Remark, Spec, WeightsReport
from porting.weights.rules import (
    Add,
    Apply,
    At,
    Cast,
    Concatenate,
    Convert,
    Copy,
    Drop,
    Flatten,
    Flip,
    FoldWeightNorm,
    InsertZeros,
    Permute,
    PermuteRope,
    Rename,
    Reorder,
    Reshape,
    Rules,
    Scale,
    Slice,
    Split,
    Stack,
    Transpose,
    Unflatten,
    Unstack,
)
from porting.weights.rules.applying import apply_rules

__all__ = [
    "Add",
    "Apply",
    "At",
    "Cast",
    "CheckpointHeaders",
    "CheckpointTensor",
    "Concatenate",
    "Convert",
    "Copy",
    "Drop",
    "Finding",
    "Flatten",
    "Flip",
    "FoldWeightNorm",
    "InsertZeros",
    "Permute",
    "PermuteRope",
    "Remark",
    "Rename",
    "Reorder",
    "Reshape",
    "Rules",
    "Scale",
    "Slice",
    "Spec",
    "Split",
    "Stack",
    "Transpose",
    "Unflatten",
    "Unstack",
    "WeightsReport",
    "apply_rules",
    "assert_loaded",
    "audit_loaded",
    "build_on_meta",
    "check_weights",
    "read_headers",
]
