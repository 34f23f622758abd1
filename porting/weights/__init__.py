"""Weights: what a checkpoint holds, what becomes of it, whether a model can hold it, and whether it does.

The way of a checkpoint, room by room: ``formats`` reads its files, ``rules`` says what becomes of each tensor,
``checking`` holds names, shapes and dtypes against a model's, ``inference`` proposes rules, ``conversion`` writes what
they make, ``audit`` compares every value of a live model with it, and ``emitting`` writes the rules as code.

Between them: ``headers`` is a checkpoint on disk, ``source`` one wherever it is, ``matching`` says which step of the
rules makes which tensor of a model, and ``report`` is what checks and audits find.
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
