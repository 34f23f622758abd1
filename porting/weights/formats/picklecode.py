"""Load a pickle by running its code, because its sha256 was named as one that may: in a process of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from porting.errors import CheckpointError
from porting.tensorfiles import sha256_of
from porting.text import show
from porting.weights.formats.catalogues import ROOT
from porting.weights.formats.entries import Notes

_BOOT = "from porting.pickles.trusted import main; import sys; main(sys.argv[1])"


def loaded_by_code(path: Path, descriptor: int, allowed: str, notes: Notes) -> Path:
    """Load an open pickle with all its code, and write its state dict to a safetensors file.

    Args:
        path: the pickle's, for messages.
        descriptor: the open file.
        allowed: the sha256 that it must have.
        notes: where the remark is left that code was run.

    Returns:
        The safetensors file, in a folder that is removed when this process ends.

    Raises:
        CheckpointError: the file has another sha256, its code failed, or it gives no state dict.
    """
    digest = sha256_of(descriptor, os.fstat(descriptor).st_size)
    if digest != allowed.lower():
        raise CheckpointError(
            f"{show(path)} needs code to be run, and its sha256 is {digest}, not the allowed {show(allowed)}",
            hint="nothing was run; ask who published the file for its sha256, or fetch it again",
        )
    folder = Path(tempfile.mkdtemp(prefix="porting-pickle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = folder / "model.safetensors"
    search = os.pathsep.join([*filter(None, sys.path), str(ROOT)])
    os.lseek(descriptor, 0, os.SEEK_SET)
    done = subprocess.run(
        [sys.executable, "-P", "-c", _BOOT, str(target)],
        stdin=descriptor, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        env={**os.environ, "PYTHONPATH": search},
    )  # fmt: skip
    if done.returncode or not target.is_file():
        last = (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CheckpointError(
            f"{show(path)} cannot be loaded, not even with its code: {show(last, 500)}",
            hint="its code may need packages that are not installed here, or an older torch",
        )
    notes.add("pickle-code", f"{show(path.name)} was loaded by running the code in it, as its sha256 was allowed")
    return target
