"""What a pickle lists, asked of a child process with limits, and believed only as far as the file bears it out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from porting.errors import CheckpointError
from porting.text import show

MAX_WAIT_SECONDS = 60
ROOT = Path(__file__).parents[3]
"""The folder that holds the package, wherever it is installed."""

_BOOT = "import sys; sys.path.append(sys.argv[1]); from porting.pickles.child import main; main(*sys.argv[2:])"
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class NeedsCodeError(CheckpointError):
    """A pickle that only running the code it names would load."""


class Listed(NamedTuple):
    """One tensor as a pickle describes it: a view of a storage, in elements."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    storage: str
    offset: int
    conj: bool
    neg: bool


@dataclass(frozen=True)
class Catalogue:
    """What a pickle holds.

    Attributes:
        tensors: those of the state dict.
        storages: key, dtype and number of elements of every storage that anything in the pickle uses.
        path: the keys that lead to the state dict.
        beside: other keys with tensors, which were passed by.
        left_out: what is in the state dict and is no tensor.
        order: in the older format, the storages' keys in the order of their data.
        end: there, where the pickles end.
    """

    tensors: tuple[Listed, ...]
    storages: tuple[tuple[str, str, int], ...]
    path: tuple[str, ...]
    beside: tuple[str, ...]
    left_out: tuple[str, ...]
    order: tuple[str, ...]
    end: int


def read_catalogue(path: Path, descriptor: int, kind: str, start: int, length: int) -> Catalogue:
    """Ask a child process what the pickle at a place of an open file lists.

    Args:
        path: the file's, for messages.
        descriptor: the open file.
        kind: ``record`` or ``legacy``.
        start: of the pickle, in bytes.
        length: of the pickle at most, in bytes.

    Raises:
        CheckpointError: the pickle is damaged, holds no state dict, asks for code to be run, or takes too much
            time or memory.
    """
    command = [sys.executable, "-I", "-S", "-c", _BOOT, str(ROOT), kind, str(start), str(length)]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(
            command, stdin=descriptor, capture_output=True, timeout=MAX_WAIT_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise broken(path, f"reading its pickle took more than {MAX_WAIT_SECONDS} s") from None
    except OSError as error:
        raise CheckpointError(
            f"no process can be started to read {show(path)}: {error.strerror}", hint="try again on an idler machine"
        ) from None
    if done.returncode:
        raise broken(
            path, f"the process that reads its pickle ended with {done.returncode}: it takes too much time or memory"
        )
    return _catalogue(path, json.loads(done.stdout))


def broken(path: Path, why: str) -> CheckpointError:
    """The error of a file that is not a plain state dict."""
    return CheckpointError(
        f"{show(path)} cannot be read as a checkpoint of torch: {why}",
        hint="fetch it again, or save its state dict alone: "
        "torch.save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)",
    )


def _catalogue(path: Path, said: dict[str, Any]) -> Catalogue:
    foreign = said.get("foreign", [])
    if foreign and all(name.startswith("torch._utils._rebuild_") for name in foreign):
        raise broken(path, f"it holds tensors that are not dense ones with data: {show(', '.join(foreign))}")
    if foreign:
        raise _needs_code(path, foreign, said["error"])
    if "error" in said:
        raise broken(path, show(said["error"], 500))
    return Catalogue(
        tensors=tuple(
            Listed(name, dtype, tuple(shape), tuple(stride), key, offset, conj, neg)
            for name, dtype, shape, stride, key, offset, conj, neg in said["tensors"]
        ),
        storages=tuple((key, dtype, numel) for key, dtype, numel in said["storages"]),
        path=tuple(said["path"]),
        beside=tuple(said["beside"]),
        left_out=tuple(said["left_out"]),
        order=tuple(said.get("order", ())),
        end=said.get("end", 0),
    )


def _needs_code(path: Path, foreign: list[str], error: str) -> NeedsCodeError:
    names = ", ".join(show(name, 100) for name in foreign[:10]) + (", …" if len(foreign) > 10 else "")
    return NeedsCodeError(
        f"{show(path)} is not a plain state dict: loading it would run code of {names}"
        f"{f' (and {show(error)})' if error else ''}; nothing of it was run",
        hint="best, save its state dict alone and use that. If you trust who published the file as you would trust "
        "a program, give the sha256 that they state for it: --allow-pickle-code SHA256 "
        "(read_headers(path, allow_pickle_code=...))",
    )
