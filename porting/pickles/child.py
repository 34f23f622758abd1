"""The child process that reads a pickle: small limits, no files but the one it was given, JSON on its way out."""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

from porting.pickles.catalogue import catalogue, storages
from porting.pickles.machine import Machine
from porting.pickles.standins import RefusedError

MAX_PICKLE_BYTES = 32 << 20
MAX_MEMORY_BYTES = 448 << 20
MAX_SECONDS = 30
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""What the older format of ``torch.save`` starts with."""


def main(kind: str, start: str, length: str) -> None:
    """Read the pickle at a place of the file on descriptor 0, and print what it holds.

    Args:
        kind: ``record`` for a single pickle, ``legacy`` for the five of torch's older format.
        start: where it starts, in bytes.
        length: how many bytes there are of it at most.
    """
    _limit()
    raw = os.pread(0, min(int(length), MAX_PICKLE_BYTES), int(start))
    try:
        said = _legacy(raw) if kind == "legacy" else _record(raw)
    except MemoryError:
        said = {"error": "it takes more memory to read than any state dict does"}
    sys.stdout.write(json.dumps(said))


def _limit() -> None:
    limits = {
        resource.RLIMIT_AS: MAX_MEMORY_BYTES,
        resource.RLIMIT_CPU: MAX_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 3,
    }
    for limit, value in limits.items():
        _, most = resource.getrlimit(limit)
        lowered = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (lowered, lowered))


def _record(raw: bytes) -> dict[str, Any]:
    machine = Machine(raw)
    return _said(machine, *_outcome(machine))


def _legacy(raw: bytes) -> dict[str, Any]:
    first = Machine(raw)
    if _outcome(first)[0] != MAGIC:
        return {**_said(first, None, ""), "error": "it is a pickle, but not one that torch.save wrote"}
    protocol = Machine(raw, first.at)
    system = None
    if _outcome(protocol)[0] == PROTOCOL:
        system = Machine(raw, protocol.at)
        about, _ = _outcome(system)
    if system is None or not isinstance(about, dict) or about.get("little_endian") is not True:
        return {"error": "it is of an unknown version of torch's older format, or big-endian"}
    machine = Machine(raw, system.at)
    described, error = _outcome(machine)
    keys = Machine(raw, machine.at)
    order, _ = _outcome(keys) if not error else (None, "")
    said = _said(machine, described, error)
    if "tensors" in said and not (isinstance(order, list) and all(type(key) is str for key in order)):
        return {"error": "its list of storages is damaged"}
    return {**said, "order": order, "end": keys.at}


def _outcome(machine: Machine) -> tuple[Any, str]:
    try:
        return machine.run(), ""
    except RefusedError as refused:
        return None, str(refused)


def _said(machine: Machine, described: Any, error: str) -> dict[str, Any]:
    if error or machine.foreign:
        return {"error": error, "foreign": list(machine.foreign)}
    try:
        return {**catalogue(described), "storages": storages(machine.storages)}
    except RefusedError as refused:
        return {"error": str(refused)}
