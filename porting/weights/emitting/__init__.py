"""Rules as code that Transformers' reviewers accept: a conversion script, and a list of weight transforms.

``prepared`` finds what the rules do with a checkpoint. ``script`` writes them with ``regexes`` and ``operations``;
``mapping`` with ``renaming``, ``staging``, ``transforms`` and ``reversing``, and ``proving`` runs Transformers' own
code on the result. ``written`` and ``rendering`` keep data from becoming code; ``files`` writes.
"""

from __future__ import annotations

from porting.weights.emitting.files import emit_mapping, emit_script
from porting.weights.emitting.result import Emitted

__all__ = ["Emitted", "emit_mapping", "emit_script"]
