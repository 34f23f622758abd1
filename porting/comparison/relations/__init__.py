"""Relations: which simple change turns a wrong tensor into the right one.

``explaining`` asks every family in turn: ``factors`` (scaled, offset), ``terms`` (missing, added, replaced),
``products`` (gates), ``functions`` (activations), ``orders`` (permuted, shifted), ``axes`` (exchanged, regrouped),
``norms``, ``pools``, ``places`` (masked), ``precision`` (rounded) and ``dropout``. A family proposes what holds on a
sample, and the whole tensor decides.
"""

from __future__ import annotations

from porting.comparison.relations.explaining import explain
from porting.comparison.relations.model import Relation

__all__ = ["Relation", "explain"]
