"""A trace: what one run of a model did, and its form on disk (``docs/trace-format.md``).

- The records: ``parts`` and ``model``; ``structure`` and ``apart`` name the leaves of nested values, ``sketches``
  fingerprints tensors, ``bits`` is what equal means.
- Writing: ``folders`` is there whole or not at all, ``shards`` takes tensors as they come, ``contents`` is where a
  running capture puts them, ``manifest`` says the rest, ``writing`` joins them.
- Reading: ``fields`` is what a manifest may hold, ``records`` and ``leaves`` read it, ``store`` its tensors,
  ``problems`` names what is wrong; ``reading`` stops at the first of these, ``validation`` finds all.
- Asking: ``address`` finds a call or a tensor by name, ``tree`` and ``summary`` show them, ``difference`` (with
  ``changes``, ``call_changes`` and ``words``) compares two manifests.
"""

from __future__ import annotations

from porting.trace.folders import require_writable
from porting.trace.model import Trace
from porting.trace.parts import Call, Failure, Leaf, ModuleInfo, ParameterInfo, Value
from porting.trace.reading import open_trace
from porting.trace.sketches import Sketch, shared_rows, sketch
from porting.trace.structure import Record, flatten, is_named, rebuild
from porting.trace.validation import validate_trace
from porting.trace.writing import save_trace

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
    "is_named",
    "open_trace",
    "rebuild",
    "require_writable",
    "save_trace",
    "shared_rows",
    "sketch",
    "validate_trace",
]
