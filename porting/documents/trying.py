"""Run an example as its readers will: in a process of its own, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from porting.text import show

SECONDS = 300
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def fault_of(program: str, folder: Path) -> str:
    """What went wrong when a program ran in a folder; empty if it ended well.

    Args:
        program: its source.
        folder: in which it runs, and whose modules it can import.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, **OFFLINE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it had not ended after {SECONDS} seconds"
    except OSError as error:
        return f"it could not be started: {show(error)}"
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return show(lines[-1], 300) if lines else f"it ended with {done.returncode}"
