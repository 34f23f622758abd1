"""Write a trace as a folder: shards first, the manifest last, then one rename (``docs/trace-format.md``)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from porting.errors import OutputError
from porting.tensorfiles import read_header
from porting.text import show
from porting.trace.model import Call, Leaf, ModuleInfo, ParameterInfo, Trace, Value
from porting.trace.sketches import as_bytes

FORMAT = 1
MANIFEST = "manifest.json"
SHARD_BYTES = 1 << 30
SHARD_NAME = re.compile(r"tensors-\d{5}\.safetensors")


def save_trace(trace: Trace, folder: str | os.PathLike[str], progress: Callable[[str], None] | None = None) -> Path:
    """Write ``trace`` to ``folder``, replacing an earlier trace there and nothing else.

    Args:
        trace: a trace in memory, complete or failed.
        folder: where; its parents are made.
        progress: called with a short text for each shard written.

    Returns:
        The folder.

    Raises:
        OutputError: something that is not a trace is there, or the disk refuses. What was there before stays.
    """
    target = Path(folder)
    with _replacing(target) as partial:
        shards = _Shards(partial, progress)
        document = _document(trace, shards)
        document["shards"] = shards.close()
        document["sha256"] = manifest_hash(document)
        _write_text(partial / MANIFEST, json.dumps(document, allow_nan=False, ensure_ascii=True, indent=1))
    return target


def require_writable(folder: str | os.PathLike[str]) -> None:
    """Find out before a long run whether a trace can be written to ``folder``, as far as that can be known.

    Raises:
        OutputError: something that is not a trace is there, or its place cannot hold a folder.
    """
    target = Path(folder).absolute()
    _refuse_other(target)
    place = next(parent for parent in target.parents if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        reason = "may not be written" if place.is_dir() else "is no folder"
        raise OutputError(
            f"cannot write {show(target)}: {show(place)} {reason}",
            hint="name a folder that can be written with --output",
        )


def manifest_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 over the manifest as compact JSON with sorted keys, without its own ``sha256`` entry."""
    body = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def tensor_bytes(tensor: torch.Tensor) -> memoryview:
    """The bytes of a contiguous tensor on the cpu, row-major."""
    return as_bytes(tensor).numpy().data


class _Shards:
    """Collects tensors and writes them as shards of at most `SHARD_BYTES` (or one tensor).

    Their names in a shard are numbers: the names of the model's tensors may hold anything and stay in the manifest.
    """

    def __init__(self, folder: Path, progress: Callable[[str], None] | None) -> None:
        self.folder = folder
        self.progress = progress
        self.pending: dict[str, torch.Tensor] = {}
        self.bytes = 0
        self.places: dict[Hashable, dict[str, Any]] = {}
        self.stored: dict[Hashable, list[tuple[torch.Tensor, dict[str, Any]]]] = {}
        self.count = 0
        self.names: list[str] = []

    def place(self, key: Hashable, tensor: torch.Tensor) -> dict[str, Any]:
        """Store the tensor known here as ``key``, identical content once; returns its shard, key and checksum."""
        if key not in self.places:
            tensor = tensor.contiguous()
            crc32 = zlib.crc32(tensor_bytes(tensor))
            alike = self.stored.setdefault((crc32, tensor.dtype, tensor.shape), [])
            place = next((place for other, place in alike if _same_bytes(other, tensor)), None)
            if place is None:
                place = self._add(tensor, crc32)
                alike.append((tensor, place))
            self.places[key] = place
        return self.places[key]

    def _add(self, tensor: torch.Tensor, crc32: int) -> dict[str, Any]:
        size = tensor.numel() * tensor.element_size()
        if self.pending and self.bytes + size > SHARD_BYTES:
            self.flush()
        key = f"t{self.count}"
        self.count += 1
        self.pending[key] = tensor
        self.bytes += size
        return {"shard": _shard_name(len(self.names) + 1), "key": key, "crc32": crc32}

    def flush(self) -> None:
        """Write what is pending as one shard."""
        if not self.pending:
            return
        name = _shard_name(len(self.names) + 1)
        if self.progress:
            self.progress(f"writing {name}, {self.bytes / 2**20:,.0f} MiB")
        path = self.folder / name
        try:
            save_file(self.pending, path)
        except SafetensorError as error:  # what it makes of a full disk
            raise OSError(str(error)) from error
        path.chmod(0o666 & ~_umask())
        _sync(path)
        self.names.append(name)
        self.pending, self.bytes = {}, 0

    def close(self) -> dict[str, dict[str, Any]]:
        """Write the rest; returns size and header hash of every shard."""
        self.flush()
        headers = {name: read_header(self.folder / name) for name in self.names}
        return {name: {"bytes": header.size, "header_sha256": header.sha256} for name, header in headers.items()}


def _document(trace: Trace, shards: _Shards) -> dict[str, Any]:
    def leaf(item: Leaf) -> dict[str, Any]:
        if item.tensor is not None:
            place = shards.place(item.tensor, trace.tensors[item.tensor])
            strides = {} if item.strides is None else {"strides": list(item.strides)}
            noise = {} if item.noise is None else {"noise": {kind: list(pair) for kind, pair in item.noise.items()}}
            return {
                "name": item.name,
                "dtype": item.dtype,
                "shape": list(item.shape or ()),
                **strides,
                **place,
                **noise,
            }
        if item.type_name is not None:
            shape = {} if item.shape is None else {"dtype": item.dtype, "shape": list(item.shape)}
            return {"name": item.name, "type": item.type_name, **shape}
        return {"name": item.name, "value": item.value}

    def value(item: Value) -> dict[str, Any]:
        return {"structure": item.structure, "leaves": [leaf(each) for each in item.leaves]}

    def call(item: Call) -> dict[str, Any]:
        return {
            "step": item.step,
            "path": item.path,
            "repeat": item.repeat,
            "class": item.class_name,
            "parent": item.parent,
            "inputs": value(item.inputs),
            "outputs": value(item.outputs),
        }

    valid = trace.valid_positions()
    return {
        "format": FORMAT,
        "status": "failed" if trace.failure else "complete",
        "checksums": {"tensor": "crc32", "shard header": "sha256", "manifest": "sha256"},
        "run": dict(trace.run),
        "modules": [_module(item, shards) for item in trace.modules.values()],
        "calls": [call(item) for item in trace.calls],
        "inputs": value(trace.inputs),
        "outputs": value(trace.outputs),
        "valid": None if valid is None else {"shape": list(valid.shape), **shards.place("valid", valid)},
        "failure": None
        if trace.failure is None
        else {"path": trace.failure.path, "class": trace.failure.class_name, "error": trace.failure.error},
    }


def _module(module: ModuleInfo, shards: _Shards) -> dict[str, Any]:
    def sketch(parameter: ParameterInfo) -> dict[str, Any] | None:
        if parameter.sketch is None:
            return None
        axes = [
            shards.place(f"s{len(shards.places)}", torch.from_numpy(signature)) for signature in parameter.sketch.axes
        ]
        return {"crc32": parameter.sketch.crc32, "axes": axes}

    return {
        "path": module.path,
        "class": module.class_name,
        "training": module.training,
        "alias_of": module.alias_of,
        "settings": dict(module.settings),
        "parameters": [
            {
                "name": parameter.name,
                "kind": parameter.kind,
                "dtype": parameter.dtype,
                "shape": list(parameter.shape),
                "tied_to": parameter.tied_to,
                "sketch": sketch(parameter),
            }
            for parameter in module.parameters
        ],
    }


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that takes its place at the end, or is gone if anything fails."""
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    old = target.with_name(f"{target.name}.replaced-{os.getpid()}")
    try:
        _refuse_other(target)
        for stale in (partial, old):  # of a killed process that had the same number
            shutil.rmtree(stale, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            _sync(partial)
            if target.exists():
                target.rename(old)
            partial.rename(target)
            _sync(target.parent)
        finally:
            if old.exists() and not target.exists():
                old.rename(target)
            shutil.rmtree(old, ignore_errors=True)
            shutil.rmtree(partial, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise OutputError(
            f"cannot write {show(target)}: {show(reason)}",
            hint="name a folder that can be written with --output",
        ) from None


def _refuse_other(target: Path) -> None:
    """Refuse what is there and is neither empty nor a trace: a manifest, shards, and nothing else."""
    if not target.is_symlink() and not target.exists():
        return
    if not target.is_symlink() and target.is_dir():
        names = {entry.name for entry in target.iterdir()}
        shards = {name for name in names if SHARD_NAME.fullmatch(name)}
        if not names or (shards and names - shards == {MANIFEST}):
            return
    raise OutputError(
        f"{show(target)} exists and is not a trace, so it is not replaced",
        hint="name another folder with --output, or move that one away",
    )


def _same_bytes(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(as_bytes(one), as_bytes(other))


def _shard_name(number: int) -> str:
    return f"tensors-{number:05d}.safetensors"


def _write_text(path: Path, text: str) -> None:
    with path.open("x", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
