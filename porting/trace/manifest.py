"""The manifest of a trace as a JSON document, and the hash it carries (``docs/trace-format.md``)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from porting.errors import OutputError
from porting.tensorfiles import Header
from porting.trace.fields import CHECKSUMS, LAYOUT
from porting.trace.model import Trace
from porting.trace.parts import Call, Leaf, ModuleInfo, ParameterInfo, Value
from porting.trace.shards import Place
from porting.trace.sketches import Sketch
from porting.trace.structure import Structure

FORMAT = 1
MAX_MANIFEST_BYTES = 128 << 20
"""No writer makes a larger manifest and no reader opens one: about 100,000 calls, as of 240 steps of a model of 32
layers. Parsed, a manifest takes up to twenty times its size in memory, if it is made for that."""

T = TypeVar("T")
PlaceOf = Callable[[str], Place]
"""Where the tensor with a key of `Trace.tensors` lies."""
AxesPlaces = Callable[[Sequence[np.ndarray]], Sequence[Place]]
"""Where the axes of a sketch lie."""


def manifest_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 over the manifest as compact JSON with sorted keys, without its own ``sha256`` entry."""
    body = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def sealed(document: dict[str, Any], shards: Mapping[str, Header]) -> str:
    """The manifest's text, with its shards and its hash.

    Raises:
        OutputError: it is too large to be read again.
    """
    document["shards"] = {
        name: {"bytes": header.size, "header_sha256": header.sha256} for name, header in shards.items()
    }
    document["sha256"] = manifest_hash(document)
    text = laid_out(document)
    if len(text) > MAX_MANIFEST_BYTES:
        raise OutputError(
            f"the trace's manifest would have {len(text):,} bytes, and no reader takes more than "
            f"{MAX_MANIFEST_BYTES:,}: {len(document['calls']):,} calls are too many",
            hint="record fewer steps, or leave their inputs out: porting capture --no-inputs",
        )
    return text


def laid_out(document: Mapping[str, Any]) -> str:
    """The text of a manifest whose layout is `LAYOUT`: no byte of it can change without notice."""
    return json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))


def describe(trace: Trace, place_of: PlaceOf, axes_places: AxesPlaces) -> dict[str, Any]:
    """All that a trace says, but for its shards and its hash."""
    return _Describer(place_of, axes_places).trace(trace)


class _Table(Generic[T]):
    """Entries that are listed once and named by their number: a cache is an argument of every layer.

    An object is described once, however often it is listed, and what reads alike is one entry.
    """

    def __init__(self, describe: Callable[[T], dict[str, Any]]) -> None:
        self.entries: list[dict[str, Any]] = []
        self._describe = describe
        self._by_id: dict[int, int] = {}
        self._by_text: dict[str, int] = {}

    def number(self, item: T) -> int:
        """The number of an item, which is added if it is new; it lives as long as the table."""
        if id(item) not in self._by_id:
            entry = self._describe(item)
            number = self._by_text.setdefault(json.dumps(entry), len(self.entries))
            if number == len(self.entries):
                self.entries.append(entry)
            self._by_id[id(item)] = number
        return self._by_id[id(item)]


class _Describer:
    def __init__(self, place_of: PlaceOf, axes_places: AxesPlaces) -> None:
        self.place_of = place_of
        self.axes_places = axes_places
        self.structures: _Table[Structure] = _Table(lambda structure: structure)
        self.leaves = _Table(self.leaf)

    def trace(self, trace: Trace) -> dict[str, Any]:
        failure, valid = trace.failure, trace.valid_positions()
        return {
            "format": FORMAT,
            "status": "failed" if failure else "complete",
            "checksums": {**CHECKSUMS, "layout": LAYOUT},
            "run": dict(trace.run),
            "modules": [self.module(item) for item in trace.modules.values()],
            "calls": [self.call(item) for item in trace.calls],
            "inputs": self.value(trace.inputs),
            "outputs": self.value(trace.outputs),
            "valid": None if trace.valid is None or valid is None else self.located(trace.valid, valid.shape),
            "failure": failure and {"path": failure.path, "class": failure.class_name, "error": failure.error},
            "unobserved": list(trace.unobserved),
            "left_out": None if trace.left_out is None else dict(trace.left_out),
            "structures": self.structures.entries,
            "leaves": self.leaves.entries,
        }

    def call(self, call: Call) -> dict[str, Any]:
        gradients = {} if call.gradients is None else {"gradients": self.value(call.gradients)}
        thread = {} if call.thread == 0 else {"thread": call.thread}
        return {
            "step": call.step,
            "path": call.path,
            "repeat": call.repeat,
            "class": call.class_name,
            "parent": call.parent,
            **thread,
            "inputs": self.value(call.inputs),
            "outputs": self.value(call.outputs),
            **gradients,
        }

    def value(self, value: Value) -> dict[str, Any]:
        return {
            "structure": self.structures.number(value.structure),
            "leaves": [self.leaves.number(leaf) for leaf in value.leaves],
        }

    def leaf(self, leaf: Leaf) -> dict[str, Any]:
        shape = {} if leaf.shape is None else {"dtype": leaf.dtype, "shape": list(leaf.shape)}
        strides = {} if leaf.strides is None else {"strides": list(leaf.strides)}
        if leaf.tensor is not None:
            noise = {} if leaf.noise is None else {"noise": {kind: list(pair) for kind, pair in leaf.noise.items()}}
            return {"name": leaf.name, **shape, **strides, **self.place_of(leaf.tensor).to_dict(), **noise}
        if leaf.type_name is not None:
            return {"name": leaf.name, "type": leaf.type_name, **shape}
        return {"name": leaf.name, "value": leaf.value}

    def located(self, key: str, shape: Sequence[int]) -> dict[str, Any]:
        return {"shape": list(shape), **self.place_of(key).to_dict()}

    def module(self, module: ModuleInfo) -> dict[str, Any]:
        return {
            "path": module.path,
            "class": module.class_name,
            "training": module.training,
            "alias_of": module.alias_of,
            "settings": dict(module.settings),
            "parameters": [self.parameter(parameter) for parameter in module.parameters],
        }

    def parameter(self, parameter: ParameterInfo) -> dict[str, Any]:
        gradient = parameter.gradient
        return {
            "name": parameter.name,
            "kind": parameter.kind,
            "dtype": parameter.dtype,
            "shape": list(parameter.shape),
            "tied_to": parameter.tied_to,
            "sketch": None if parameter.sketch is None else self.sketch(parameter.sketch),
            **({} if gradient is None else {"gradient": self.place_of(gradient).to_dict()}),
        }

    def sketch(self, sketch: Sketch) -> dict[str, Any]:
        return {"crc32": sketch.crc32, "axes": [place.to_dict() for place in self.axes_places(sketch.axes)]}
