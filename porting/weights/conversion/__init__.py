"""Converting a checkpoint: read, change and write one tensor after the other, whole or not at all.

``converting`` puts it together: ``ties`` and ``layout`` decide what will lie where, ``reading`` and ``writing`` move
bytes, ``beside`` saves what belongs to them, ``reloading`` proves the result and ``manifest`` records it. ``result``
is what became of it, ``words`` its steps for people.
"""

from __future__ import annotations

from porting.weights.conversion.converting import convert
from porting.weights.conversion.result import Conversion

__all__ = ["Conversion", "convert"]
