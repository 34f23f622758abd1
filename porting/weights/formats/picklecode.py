"""Load a pickle by running its code, because its sha256 was named as one that may: in a process of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from porting.errors import CheckpointError
from porting.tensorfiles import CHUNK_BYTES
from porting.text import show
from porting.weights.formats.catalogues import ROOT
from porting.weights.formats.entries import Notes
from porting.weights.formats.temporary import temporary_folder

_BOOT = "from porting.pickles.trusted import main; import sys; main(*sys.argv[1:])"


def loaded_by_code(path: Path, descriptor: int, allowed: str, notes: Notes) -> Path:
    """Load an open pickle with all its code, and write its state dict to a safetensors file.

    What is loaded is a copy that nobody else can change, made while the hash is computed.

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
    folder = temporary_folder()
    copy, target = folder / "copied", folder / "model.safetensors"
    digest = _copied(descriptor, copy)
    if digest != allowed.lower():
        copy.unlink()
        raise CheckpointError(
            f"{show(path)} needs code to be run, and its sha256 is {digest}, not the allowed {show(allowed)}",
            hint="nothing was run; ask who published the file for its sha256, or fetch it again",
        )
    search = os.pathsep.join([*filter(None, sys.path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", _BOOT, str(copy), str(target)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        env={**os.environ, "PYTHONPATH": search},
    )  # fmt: skip
    copy.unlink(missing_ok=True)
    if done.returncode or not target.is_file():
        last = (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CheckpointError(
            f"{show(path)} cannot be loaded, not even with its code: {show(last, 500)}",
            hint="its code may need packages that are not installed here, or an older torch",
        )
    notes.add("pickle-code", f"{show(path.name)} was loaded by running the code in it, as its sha256 was allowed")
    return target


def _copied(descriptor: int, copy: Path) -> str:
    """Copy an open file, and return the sha256 of what was copied."""
    digest, at = hashlib.sha256(), 0
    with copy.open("xb") as file:
        while chunk := os.pread(descriptor, CHUNK_BYTES, at):
            digest.update(chunk)
            file.write(chunk)
            at += len(chunk)
    return digest.hexdigest()
