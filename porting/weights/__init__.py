"""Weights: what a checkpoint holds, whether a model can hold it, and whether it does.

``headers`` and ``index`` read names and shapes, ``matching`` pairs them with the model's, ``checking`` stops
there, ``loading`` compares the data as well; both give a ``WeightsReport``.
"""

from __future__ import annotations

from porting.weights.checking import build_on_meta, check_weights
from porting.weights.headers import CheckpointHeaders, CheckpointTensor, read_headers
from porting.weights.loading import assert_loaded, audit_loaded
from porting.weights.matching import Rules
from porting.weights.report import Finding, Remark, Spec, WeightsReport

__all__ = [
    "CheckpointHeaders",
    "CheckpointTensor",
    "Finding",
    "Remark",
    "Rules",
    "Spec",
    "WeightsReport",
    "assert_loaded",
    "audit_loaded",
    "build_on_meta",
    "check_weights",
    "read_headers",
]
