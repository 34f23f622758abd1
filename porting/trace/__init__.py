"""A trace: what one run of a model did, and its form on disk.

``structure`` names the leaves of nested values, ``parts`` and ``model`` hold the records, ``sketches`` fingerprints
tensors; ``address`` finds a call or tensor, ``tree``, ``summary`` and ``difference`` are what is shown of a trace.
On disk (``docs/trace-format.md``): ``folders`` is there whole or not at all, ``shards`` takes tensors as they come,
``contents`` is where a running capture puts them, ``manifest`` says the rest; ``writing`` and ``reading`` join them.
What is read is checked by the tables of ``fields``; ``leaves`` and ``records`` read it, ``problems`` names what is
wrong, and ``validation`` names all of it.
"""

from __future__ import annotations

from porting.trace.folders import require_writable
from porting.trace.model import Call, Failure, Leaf, ModuleInfo, ParameterInfo, Trace, Value
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
