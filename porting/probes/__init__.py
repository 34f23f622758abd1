"""Generated inputs that see what the given ones may not: longer, padded, batched, of other sizes."""

from __future__ import annotations

from porting.probes.result import Probe
from porting.probes.running import run_probes

__all__ = ["Probe", "run_probes"]
