"""Rules as code that Transformers' reviewers accept: a conversion script, and a list of weight transforms.

``prepared`` finds what the rules do with a checkpoint. ``script`` writes them with ``regexes`` and ``operations``;
``mapping`` with ``renaming``, ``staging``, ``transforms`` and ``reversing``; ``proving`` runs Transformers' own code
on the result, and ``levels`` and ``accepting`` see to it that patterns touch no other names. ``compacting`` makes
rules of single names, ``verified`` has the original's values, ``testing`` the test, and ``files`` writes.
"""

from __future__ import annotations

from porting.weights.emitting.files import emit_mapping, emit_script
from porting.weights.emitting.result import Emitted

__all__ = ["Emitted", "emit_mapping", "emit_script"]
