"""Record the original in another interpreter, ``ORIGINAL_PYTHON``, as a child process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from porting.errors import CaptureError, PortfileError
from porting.portfile import Portfile
from porting.text import show
from porting.trace import Trace, flatten, open_trace

PATIENCE = 10.0
"""Seconds that an interrupted child has to end by itself."""
LEAST_PYTHON = "Python 3.7 or newer with NumPy, and torch 1.8 or newer for a torch model"


def record_original(portfile: Portfile, folder: str | os.PathLike[str]) -> Trace:
    """Run the portfile's ``original`` and ``run_original`` under ``ORIGINAL_PYTHON``, and open the trace.

    The inputs are made here and shipped as plain arrays. The child runs in an empty folder, so that nothing in the
    working folder can stand in for what it imports; what it prints goes to stderr.

    Args:
        portfile: with ``ORIGINAL_PYTHON``.
        folder: of the trace; an earlier one is replaced.

    Raises:
        PortfileError: the interpreter cannot be started, or ``original()`` raised there.
        CaptureError: the forward raised there.
        TraceError: the recorded trace cannot be read.
    """
    python = portfile.original_python
    assert python is not None
    target = Path(folder).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="porting-") as name:
        scratch = Path(name)
        for source, copy in (("recorder.py", "record.py"), ("original_child.py", "child.py")):
            (scratch / copy).write_text((files("porting") / source).read_text(encoding="utf-8"), encoding="utf-8")
        (scratch / "inputs.npz").write_bytes(_shipped(portfile))
        errors = scratch / "error.json"
        arguments = [python, scratch / "child.py", portfile.path, scratch / "inputs.npz", target, errors]
        code = _run([str(argument) for argument in arguments], scratch)
        if errors.exists():
            raise _described(json.loads(errors.read_text(encoding="utf-8")), python, target)
    if code != 0:
        raise PortfileError(
            f"{show(python)} ended with exit code {code} before the original was recorded",
            hint=f"what it said is above; it must be {LEAST_PYTHON}",
        )
    return open_trace(target)


def _run(arguments: list[str], folder: Path) -> int:
    """Run the child with its output on stderr; it ends with this process, also on Ctrl-C."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        with subprocess.Popen(arguments, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=2) as child:
            try:
                return child.wait()
            except BaseException:
                _end(child)
                raise
    except OSError as error:
        raise PortfileError(
            f"ORIGINAL_PYTHON {show(arguments[0])} cannot be started: {error.strerror}",
            hint=f"name the interpreter of the original's environment: {LEAST_PYTHON}",
        ) from None


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child, with the time to clean up that it needs."""
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _shipped(portfile: Portfile) -> bytes:
    """The original's inputs as an npz file of plain arrays, with their structure."""
    inputs = portfile.inputs("original")
    structure, leaves = flatten(inputs.as_given())
    arrays: dict[str, np.ndarray] = {}
    facts = {"structure": structure, "leaves": [_leaf(name, leaf, arrays) for name, leaf in leaves]}
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode("utf-8"), dtype=np.uint8)
    valid = portfile.valid_positions()
    if valid is not None:
        arrays["valid"] = valid.cpu().numpy()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _leaf(name: str, leaf: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if leaf is None or isinstance(leaf, (bool, int, float, str)):
        return {"value": leaf}
    if not isinstance(leaf, torch.Tensor):
        raise PortfileError(
            f"the input {show(name)} is of type {show(type(leaf).__name__)}, which cannot be sent to ORIGINAL_PYTHON",
            hint="send tensors, numbers and texts, and make anything else in run_original()",
        )
    plain = leaf.detach().cpu().contiguous()
    key = f"a{len(arrays)}"
    arrays[key] = (plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy()
    return {"array": key, "dtype": str(plain.dtype).removeprefix("torch.")}


def _described(problem: dict[str, str], python: str, target: Path) -> PortfileError | CaptureError:
    where = f"under {show(python)}"
    if problem["doing"] != "the recording":
        return PortfileError(
            f"{problem['doing']} raised {where}: {show(problem['error'], 1000)}",
            hint="its traceback is above; imports of the ported side belong inside the ported functions",
        )
    return CaptureError(
        f"the original could not be recorded {where}: {show(problem['error'], 1000)}",
        hint=f"its traceback is above; what ran before: porting capture --show {show(target)}",
    )
