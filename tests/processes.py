"""Run ``python -m porting`` as a user does, on tiny portfiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "0"}

PORTFILE = """
import os, sys, time
import torch

def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU(), torch.nn.Linear(4, 3)).eval()

def original():
    return model()

def ported():
    return model()

def inputs():
    return {"input": torch.randn(2, 4)}
"""


def write_portfile(folder: Path, extra: str = "") -> Path:
    path = folder / "portfile.py"
    path.write_text(PORTFILE + extra)
    return path


def porting(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), **settings(folder), timeout=120, check=False, **options)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "porting", *arguments]


def settings(folder: Path) -> dict[str, Any]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return {"cwd": folder, "env": ENVIRONMENT, "text": True, **streams}


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def injected(
    code: str, place: Path, call: str, action: str
) -> Iterator[tuple[int, Path, subprocess.CompletedProcess[str]]]:
    """Run ``code`` on a new folder under strace with one system call broken: the first, the second, until all were.

    Args:
        code: Python that writes the folder that its first argument names.
        place: where to make the folders.
        call: the system call.
        action: what strace does to it, such as ``error=EIO``.
    """
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1"}
    for number in range(1, 100):
        folder = place / str(number) / "it"
        folder.parent.mkdir()
        inject = ["-f", "-o", str(place / "calls"), "-e", f"trace={call}"]
        inject += ["-e", f"inject={call}:{action}:when={number}"]
        command = ["strace", *inject, sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == 0 and "(INJECTED)" not in (place / "calls").read_text():
            return
        yield number, folder, done


def after_faults(subject: str, place: Path) -> list[dict[str, Any]]:
    """What is left after each fault of ``faults.py``, which runs as a process of its own."""
    tests = ROOT / "tests"
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{ROOT}:{tests}"}
    done = subprocess.run(
        [sys.executable, str(tests / "faults.py"), str(place), subject],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
