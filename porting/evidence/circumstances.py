"""Under which circumstances evidence came about: versions, device, commit, time."""

from __future__ import annotations

import contextlib
import platform
import shlex
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from porting.evidence.repositories import root_of, state_of
from porting.evidence.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import torch

    from porting.portfile import Portfile

ALWAYS = ("porting", "torch", "transformers")
IF_LOADED = ("numpy", "safetensors", "tokenizers")
MOST_TYPED = 1000
_TYPED: ContextVar[str] = ContextVar("typed", default="")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a record says beside its outcome, in its words."""

    versions: dict[str, str]
    device: str
    commit: str | None
    dirty: bool | None
    code_commit: str | None
    code_dirty: bool | None
    time: str

    @classmethod
    def of(cls, portfile: Portfile, *, device: str = "", code: Iterable[Path] = ()) -> Circumstances:
        """Those of this process.

        Args:
            portfile: that was used.
            device: that the models were on.
            code: files of the port's code, which may lie in another repository than the portfile.
        """
        own = root_of(portfile.folder)
        others = (root_of(path.parent) for path in code)
        other = next((root for root in others if root is not None and root != own), None)
        commit, dirty = state_of(own, portfile.folder)
        code_commit, code_dirty = state_of(other, portfile.folder)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(versions(), device, commit, dirty, code_commit, code_dirty, now)


@contextlib.contextmanager
def typed(arguments: Sequence[str]) -> Iterator[None]:
    """Have the records that are made meanwhile say what was typed."""
    token = _TYPED.set(shlex.join(arguments)[:MOST_TYPED])
    try:
        yield
    finally:
        _TYPED.reset(token)


def typed_command() -> str:
    """What was typed; empty where nobody said it."""
    return _TYPED.get()


def device_of(models: Iterable[torch.nn.Module]) -> str:
    """Where the tensors of models are: ``cpu``, or the name of the GPU; empty without a tensor."""
    devices = {tensor.device for model in models for tensor in (*model.parameters(), *model.buffers())}
    return ", ".join(sorted({_device_name(device) for device in devices}))


def _device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return device.type
    import torch

    return torch.cuda.get_device_name(device)


def versions() -> dict[str, str]:
    """Of Python, of what porting stands on, and of what else is loaded."""
    found = {"python": platform.python_version()}
    for package in (*ALWAYS, *(name for name in IF_LOADED if name in sys.modules)):
        found[package] = version_of(package) or "unknown"
    return found
