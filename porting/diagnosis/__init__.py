"""Diagnosis: which module is at fault, what can be seen to differ there, and why, proven by a repair.

``culprits`` names the modules at fault, ``scene`` keeps what is known at each, ``causes`` proposes repairs, ``trial``
tries one on the live port, ``diagnosing`` puts them together. What the causes know of is in ``tensors`` (weights),
``modules`` (what one module computes), ``glue`` (the code between modules) and ``attention``.
"""

from __future__ import annotations

from porting.diagnosis.culprits import Culprit, find_culprits
from porting.diagnosis.differences import differing_weights, module_differences

__all__ = ["Culprit", "differing_weights", "find_culprits", "module_differences"]
