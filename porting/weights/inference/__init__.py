"""Proposing the rules: which checkpoint tensor becomes which of the port, and on what evidence.

Without values: ``words`` and ``names`` read names, ``units`` are tensors and lists of them, ``likeness`` and
``neighbours`` score pairs, ``matching`` assigns, ``fusing`` and ``remaining`` find what goes several to one,
``operating`` what makes one shape of another, ``turning`` what is transposed, ``leaving`` why a tensor is left out;
``proposing`` puts these together, ``confidence`` says how sure each of its ``claims`` is.

With a port that runs: ``aliases`` are the original's own names, ``seeing`` looks which results the original has, too,
``alternatives``, ``changing`` and ``exchanging`` say what else may be, ``searching`` tries it, ``running`` verifies,
``needing`` says what that proves. ``compacting`` and ``ruling`` make rules of claims.

``heads`` is what the port's config says of its attention. ``inferring`` is the whole, ``portfiles`` that of a
portfile, ``result`` what comes of it, and ``listing`` the Python to paste.
"""

from __future__ import annotations

from porting.weights.inference.inferring import infer_rules
from porting.weights.inference.result import Inference, Proposed

__all__ = ["Inference", "Proposed", "infer_rules"]
