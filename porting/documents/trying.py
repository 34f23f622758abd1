"""Run an example as its readers will: in a process of its own, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

from porting.children import ChildError, run_child

SECONDS = 300
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def fault_of(program: str, folder: Path) -> str:
    """What went wrong when a program ran in a folder; empty if it ended well.

    Args:
        program: its source.
        folder: in which it runs, and whose modules it can import.
    """
    try:
        ended = run_child([sys.executable, "-c", program], folder, seconds=SECONDS, environment=OFFLINE)
    except ChildError as error:
        return error.message
    if ended.code is None:
        return f"it had not ended after {SECONDS} seconds"
    return "" if ended.code == 0 else ended.last_line
