"""Record the original in another interpreter, ``ORIGINAL_PYTHON``, as a child process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from porting.errors import CaptureError, PortfileError, TraceError
from porting.hooks.selection import Selection
from porting.original.shipping import ship_inputs
from porting.portfile import Portfile
from porting.progress import Progress, silent
from porting.text import show
from porting.trace import Trace, open_trace

PATIENCE = 10.0
"""Seconds that an interrupted child has to end by itself."""
LEAST_PYTHON = "Python 3.7 or newer with NumPy, and torch 1.8 or newer for a torch model"
FILES = {"recorder.py": "porting_recorder.py", "original/child.py": "porting_child.py"}
"""What the child runs, under names that no module of the original has."""


def record_original(
    portfile: Portfile,
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    select: Selection | None = None,
    record_inputs: bool = True,
    wrap_forward: bool = False,
    noise: bool = False,
    progress: Progress = silent,
) -> Trace:
    """Run the portfile's ``original`` and ``run_original`` under ``ORIGINAL_PYTHON``, and open the trace.

    The inputs are made here and shipped as plain arrays. The child runs in an empty folder, so that nothing in the
    working folder can stand in for what it imports; what it prints goes to stderr.

    Args:
        portfile: with ``ORIGINAL_PYTHON``.
        folder: of the trace; an earlier one is replaced.
        seed: of the random generators during the run.
        select: which modules' tensors to record, and how many bytes of them; None: all.
        record_inputs: leave False to record outputs alone.
        wrap_forward: listen around each module's ``forward`` instead of its call.
        noise: run it some more times, and note in the trace by how much its results move by themselves.
        progress: called as the child's work goes on.

    Raises:
        PortfileError: the interpreter cannot be started, or ``original()`` raised there.
        CaptureError: the forward raised there.
        TraceError: the recorded trace cannot be read.
    """
    python = portfile.original_python
    assert python is not None
    target = Path(folder).absolute()
    chosen = (select or Selection()).to_dict()
    how = {"record_inputs": record_inputs, "wrap_forward": wrap_forward, "noise": noise}
    options = {**chosen, **how, "seed": seed}
    began = time.time_ns()
    progress("sending the inputs", 0, 1)
    with tempfile.TemporaryDirectory(prefix="porting-") as name:
        scratch = Path(name)
        for source, copy in FILES.items():
            (scratch / copy).write_text((files("porting") / source).read_text(encoding="utf-8"), encoding="utf-8")
        ship_inputs(portfile, scratch / "inputs.npz")
        request = {"portfile": str(portfile.path), "folder": str(target), "options": options}
        said = _run(python, scratch, request, progress)
    if said.problem is not None:
        raise _described(said.problem, python, target)
    if not said.done:
        raise PortfileError(
            f"{show(python)} ended with exit code {said.code} before the original was recorded",
            hint=f"what it said is above; it must be {LEAST_PYTHON}",
        )
    portfile.ran_elsewhere("original", said.used.get("files", []), said.used.get("code", []), began)
    return open_trace(target)


@dataclass
class _Said:
    """What the child has told, one JSON object a line, and how it ended."""

    progress: Progress
    problem: dict[str, str] | None = None
    used: dict[str, list[str]] = field(default_factory=dict)
    done: bool = False
    code: int = 0
    rest: bytes = field(default=b"", repr=False)

    def hear(self, chunk: bytes) -> None:
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "progress" in message:
                self.progress(*message["progress"])
            self.problem = message.get("problem", self.problem)
            self.used = message.get("used", self.used)
            self.done = message.get("done", self.done)


def _run(python: str, scratch: Path, request: Mapping[str, object], progress: Progress) -> _Said:
    """Run the child and listen to it; it ends with this process, also on Ctrl-C."""
    reading, writing = os.pipe()
    try:
        told = {**request, "inputs": str(scratch / "inputs.npz"), "messages": writing}
        (scratch / "request.json").write_text(json.dumps(told), encoding="utf-8")
        with _started(python, scratch, writing) as child:
            try:
                return _heard(child, reading, _Said(progress))
            except BaseException:
                _end(child)
                raise
    finally:
        os.close(reading)
        os.close(writing)


def _started(python: str, scratch: Path, writing: int) -> subprocess.Popen[bytes]:
    """The child, with its output on stderr."""
    command = [python, str(scratch / "porting_child.py"), str(scratch / "request.json")]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        return subprocess.Popen(
            command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=2, pass_fds=(writing,)
        )
    except OSError as error:
        raise PortfileError(
            f"ORIGINAL_PYTHON {show(python)} cannot be started: {error.strerror}",
            hint=f"name the interpreter of the original's environment: {LEAST_PYTHON}",
        ) from None


def _heard(child: subprocess.Popen[bytes], reading: int, said: _Said) -> _Said:
    """Listen until the child has ended and nothing is left to hear."""
    while True:
        ended = child.poll() is not None
        if select.select([reading], [], [], 0 if ended else 0.1)[0]:
            said.hear(os.read(reading, 1 << 16))
        elif ended:
            said.code = child.wait()
            return said


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child, with the time to clean up that it needs."""
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _described(problem: dict[str, str], python: str, target: Path) -> PortfileError | CaptureError:
    where = f"under {show(python)}"
    if problem["doing"] != "the recording":
        return PortfileError(
            f"{problem['doing']} raised {where}: {show(problem['error'], 1000)}",
            hint="its traceback is above; imports of the ported side belong inside the ported functions",
        )
    kept = f"; what ran before: porting capture --show {show(target)}" if _is_of_a_failure(target) else ""
    return CaptureError(
        f"the original could not be recorded {where}: {show(problem['error'], 1000)}",
        hint=f"its traceback is above{kept}",
    )


def _is_of_a_failure(folder: Path) -> bool:
    try:
        return open_trace(folder, allow_failed=True).failure is not None
    except TraceError:
        return False
