"""Proposing the rules: which checkpoint tensor becomes which of the port, and on what evidence.

Without values: ``words`` and ``names`` read names, ``units`` are tensors and lists of them, ``likeness`` scores pairs,
``matching`` assigns, ``fusing`` and ``remaining`` find what goes several to one, ``turning`` what is transposed;
``proposing`` puts these together, ``confidence`` says how sure each claim is. With a port that runs: ``seeing`` looks
which results the original has, too, ``alternatives`` and ``exchanging`` say what else may be, ``searching`` tries it,
``running`` verifies. ``compacting`` and ``ruling`` make rules of claims.
"""

from __future__ import annotations

from porting.weights.inference.inferring import infer_rules
from porting.weights.inference.result import Inference, Proposed

__all__ = ["Inference", "Proposed", "infer_rules"]
