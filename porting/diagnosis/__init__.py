"""Diagnosis: which module is at fault, and what can be seen to differ there."""

from __future__ import annotations

from porting.diagnosis.culprits import Culprit, find_culprits
from porting.diagnosis.differences import differing_weights, module_differences

__all__ = ["Culprit", "differing_weights", "find_culprits", "module_differences"]
