"""A trace: what one run of a model did, and its form on disk.

``structure`` names the leaves of nested values, ``model`` holds the records, ``sketches`` fingerprints tensors,
``writing`` and ``reading`` are the folder format (``docs/trace-format.md``).
"""

from __future__ import annotations

from porting.trace.model import Call, Failure, Leaf, ModuleInfo, ParameterInfo, Trace, Value
from porting.trace.reading import open_trace
from porting.trace.sketches import Sketch, shared_rows, sketch
from porting.trace.structure import Record, flatten, rebuild
from porting.trace.validation import validate_trace
from porting.trace.writing import require_writable, save_trace

__all__ = [
    "Call",
    "Failure",
    "Leaf",
    "ModuleInfo",
    "ParameterInfo",
    "Record",
    "Sketch",
    "Trace",
    "Value",
    "flatten",
    "open_trace",
    "rebuild",
    "require_writable",
    "save_trace",
    "shared_rows",
    "sketch",
    "validate_trace",
]
