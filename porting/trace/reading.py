"""Open a trace folder: everything is validated before use, a tensor's content when it is read."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting import strictjson
from porting.errors import CheckpointError, TraceError
from porting.tensorfiles import Header, read_header, read_tensor, torch_dtypes
from porting.text import show
from porting.trace.bits import as_bytes
from porting.trace.folders import MANIFEST, SHARD_NAME, UNFINISHED
from porting.trace.manifest import FORMAT, LAYOUT, laid_out, manifest_hash
from porting.trace.model import Call, Failure, Leaf, ModuleInfo, ParameterInfo, Trace, Value
from porting.trace.sketches import Sketch, StoredAxes
from porting.trace.structure import Structure

if TYPE_CHECKING:
    import os

    import torch

MAX_MANIFEST_BYTES = 512 << 20


def open_trace(folder: str | os.PathLike[str], *, allow_failed: bool = False) -> Trace:
    """Open a trace; tensors are read when asked for, and verified then.

    Args:
        folder: the trace's folder.
        allow_failed: also open the trace of a forward that raised.

    Raises:
        TraceError: there is no finished trace, it is damaged in any byte of the manifest or of a shard's header,
            or it is the trace of a forward that raised.
    """
    path = Path(folder)
    if UNFINISHED.fullmatch(path.name):
        raise TraceError(f"{show(path)} was left by a capture that was killed", hint="it can be removed")
    try:
        document = _manifest(path)
        store = _Store(path, document["shards"])
        trace = _Reader(store).trace(document)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise TraceError(f"{show(path / MANIFEST)} is not a valid manifest: {show(repr(error))}") from None
    if trace.failure is not None and not allow_failed:
        raise TraceError(
            f"{show(path)} is the trace of a run that raised in {trace.failure.where}: {show(trace.failure.error)}",
            hint=f"look at it with: porting capture --show {show(path)}",
        )
    return trace


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        if not path.is_file():
            what = "holds no finished trace (no manifest.json)" if folder.is_dir() else "does not exist"
            raise TraceError(f"{show(folder)} {what}", hint="record it again with: porting capture")
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise TraceError(f"{show(path)} is larger than {MAX_MANIFEST_BYTES >> 20} MiB")
        text = path.read_bytes()
        document = strictjson.loads(text)
    except (OSError, ValueError) as error:
        raise TraceError(f"{show(path)} cannot be read: {show(error)}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else "no format number"
        raise TraceError(f"{show(path)} is not a trace of format {FORMAT}: it says {show(found)}")
    kept = document["checksums"].get("layout") != LAYOUT or laid_out(document).encode("ascii") == text
    if document.get("sha256") != manifest_hash(document) or not kept:
        raise TraceError(
            f"{show(path)} does not have the hash it carries: it was changed after it was written",
            hint="record the trace again with: porting capture",
        )
    return document


class _Store(Mapping[str, "torch.Tensor"]):
    """Tensors on disk, by key; each is checked against its checksum whenever it is read."""

    def __init__(self, folder: Path, shards: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder = folder
        self.headers: dict[str, Header] = {}
        self.places: dict[str, tuple[str, int]] = {}
        for name, entry in shards.items():
            if not SHARD_NAME.fullmatch(name):
                raise TraceError(f"{show(folder)}: {show(name)} is not a name for a shard")
            self.headers[name] = self._header(name, entry)

    def _header(self, name: str, entry: Mapping[str, Any]) -> Header:
        path = self.folder / name
        if path.is_symlink():
            raise TraceError(f"{show(path)} is a link; a trace's shards are files of its own")
        try:
            header = read_header(path)
        except CheckpointError as error:
            raise TraceError(f"the trace is damaged: {error.message}", hint=error.hint) from None
        if (header.size, header.sha256) != (entry["bytes"], entry["header_sha256"]):
            raise TraceError(f"the trace is damaged: {show(path)} is not the file that the manifest speaks of")
        return header

    def register(self, place: Mapping[str, Any], dtype: str, shape: tuple[int, ...]) -> str:
        """Note where a tensor lies, after checking that the shard's header agrees; returns its key."""
        key, shard = place["key"], place["shard"]
        entry = self.headers[shard].tensors[key]
        found = (str(torch_dtypes().get(entry.dtype)).removeprefix("torch."), entry.shape)
        if found != (dtype, shape):
            raise TraceError(
                f"the trace is damaged: tensor {show(key)} is {found}, the manifest says {dtype}, {shape}"
            )
        if self.places.setdefault(key, (shard, place["crc32"])) != (shard, place["crc32"]):
            raise TraceError(f"the trace is damaged: tensor {show(key)} is said to be two")
        return str(key)

    def __getitem__(self, key: str) -> torch.Tensor:
        shard, crc32 = self.places[key]
        path = self.folder / shard
        try:
            tensor = read_tensor(path, key, self.headers[shard].tensors[key])
        except CheckpointError as error:
            raise TraceError(f"the trace is damaged: {error.message}", hint=error.hint) from None
        if zlib.crc32(as_bytes(tensor).numpy().data) != crc32:
            raise TraceError(
                f"the trace is damaged: tensor {show(key)} in {show(path)} does not have its checksum",
                hint="record the trace again with: porting capture",
            )
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


class _Reader:
    """Manifest entries as the records of `porting.trace.model`."""

    def __init__(self, store: _Store) -> None:
        self.store = store

    def trace(self, document: Mapping[str, Any]) -> Trace:
        calls = tuple(self.call(index, entry) for index, entry in enumerate(document["calls"]))
        valid = document["valid"]
        failure = document["failure"]
        if document["status"] != ("failed" if failure else "complete"):
            raise ValueError(f"status {document['status']!r} with failure {failure!r}")
        modules = {module.path: module for module in map(self.module, document["modules"])}
        if unknown := [call.path for call in calls if call.path not in modules]:
            raise ValueError(f"call of {unknown[0]!r}, which is no module")
        return Trace(
            calls=calls,
            modules=modules,
            inputs=self.value(document["inputs"]),
            outputs=self.value(document["outputs"]),
            tensors=self.store,
            run=_typed(document, "run", dict),
            unobserved=tuple(document.get("unobserved", ())),
            left_out=_typed(document, "left_out", dict, None),
            valid=None if valid is None else self.store.register(valid, "bool", tuple(valid["shape"])),
            failure=Failure(failure["path"], failure["class"], failure["error"]) if failure else None,
        )

    def call(self, index: int, entry: Mapping[str, Any]) -> Call:
        parent = entry["parent"]
        if parent is not None and not 0 <= parent < index:
            raise ValueError(f"call {index} has parent {parent}")
        return Call(
            index=index,
            step=_typed(entry, "step", int),
            path=_typed(entry, "path", str),
            repeat=_typed(entry, "repeat", int),
            class_name=_typed(entry, "class", str),
            parent=parent,
            inputs=self.value(entry["inputs"]),
            outputs=self.value(entry["outputs"]),
            thread=_typed(entry, "thread", int, 0),
            gradients=self.value(entry["gradients"]) if "gradients" in entry else None,
        )

    def value(self, entry: Mapping[str, Any]) -> Value:
        leaves = tuple(self.leaf(each) for each in entry["leaves"])
        if _count_leaves(entry["structure"]) != len(leaves):
            raise ValueError("a structure does not have as many leaves as are listed")
        return Value(entry["structure"], leaves)

    def leaf(self, entry: Mapping[str, Any]) -> Leaf:
        name, shape, strides = _typed(entry, "name", str), _lengths(entry, "shape"), _lengths(entry, "strides")
        if "shard" in entry:
            key = self.store.register(entry, entry["dtype"], shape or ())
            return Leaf(name, entry["dtype"], shape, strides, key, noise=_noise(entry))
        dtype, type_name = _typed(entry, "dtype", str, None), _typed(entry, "type", str, None)
        value = _typed(entry, "value", (bool, int, float, str), None)
        return Leaf(name, dtype, shape, None, None, value, type_name)

    def module(self, entry: Mapping[str, Any]) -> ModuleInfo:
        return ModuleInfo(
            path=_typed(entry, "path", str),
            class_name=_typed(entry, "class", str),
            training=_typed(entry, "training", bool),
            settings=_typed(entry, "settings", dict),
            parameters=tuple(self.parameter(each) for each in entry["parameters"]),
            alias_of=_typed(entry, "alias_of", str, None),
        )

    def parameter(self, entry: Mapping[str, Any]) -> ParameterInfo:
        shape = _lengths(entry, "shape") or ()
        return ParameterInfo(
            name=_typed(entry, "name", str),
            kind=_typed(entry, "kind", str),
            dtype=_typed(entry, "dtype", str),
            shape=shape,
            sketch=None if entry["sketch"] is None else self.sketch(entry["sketch"], shape),
            tied_to=_typed(entry, "tied_to", str, None),
            gradient=self.store.register(entry["gradient"], entry["dtype"], shape) if "gradient" in entry else None,
        )

    def sketch(self, entry: Mapping[str, Any], shape: tuple[int, ...]) -> Sketch:
        keys = []
        for place in entry["axes"]:
            lengths = self.store.headers[place["shard"]].tensors[place["key"]].shape
            keys.append(self.store.register(place, "float64", lengths))
        if len(keys) != min(max(len(shape), 1), 2):
            raise ValueError(f"a sketch of {len(keys)} axes for shape {shape}")
        return Sketch(StoredAxes(self.store, keys), entry["crc32"])


def _typed(entry: Mapping[str, Any], key: str, kind: type | tuple[type, ...], *default: Any) -> Any:
    """An entry of the manifest that is of the kind that it must be; null only where a default stands for it."""
    value = entry.get(key, *default) if default else entry[key]
    if (value is None and default) or (isinstance(value, kind) and (kind is not int or type(value) is int)):
        return value
    raise TypeError(f"{key} is {show(repr(value), 60)}")


def _lengths(entry: Mapping[str, Any], key: str) -> tuple[int, ...] | None:
    """A shape or strides of the manifest, None if it has none."""
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
        raise TypeError(f"{key} is {show(repr(value), 60)}")
    return tuple(value)


def _noise(entry: Mapping[str, Any]) -> dict[str, tuple[float, float]] | None:
    """A leaf's noise by kind, each the largest and the L2 difference; None if it has none."""
    noise = _typed(entry, "noise", dict, None)
    if noise is None:
        return None
    for pair in noise.values():
        if not isinstance(pair, list) or len(pair) != 2 or not all(map(_is_size, pair)):
            raise TypeError(f"noise is {show(repr(noise), 60)}")
    return {kind: (float(largest), float(l2)) for kind, (largest, l2) in noise.items()}


def _is_size(value: Any) -> bool:
    """Whether a value is a number that is finite and not negative."""
    return type(value) in (int, float) and 0 <= value <= sys.float_info.max


def _count_leaves(structure: Structure) -> int:
    if structure["kind"] == "leaf":
        return 1
    if structure["kind"] not in ("list", "tuple", "dict") or len(structure["keys"]) != len(structure["items"]):
        raise ValueError(f"unknown structure {structure['kind']!r}")
    return sum(_count_leaves(item) for item in structure["items"])
