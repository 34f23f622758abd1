"""Both models with the same new, informative weights, where the checkpoint's own hide bugs."""

from __future__ import annotations

from porting.reinit.result import Reinitialisation
from porting.reinit.running import run_reinitialised

__all__ = ["Reinitialisation", "run_reinitialised"]
