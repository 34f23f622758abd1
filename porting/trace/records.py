"""The entries of a manifest as the records of `porting.trace.model`; every check that needs no tensor's content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from porting.text import show
from porting.trace import fields
from porting.trace.fields import brief
from porting.trace.leaves import ValueReader
from porting.trace.model import Trace
from porting.trace.parts import Call, Failure, ModuleInfo, ParameterInfo, Value
from porting.trace.problems import Problems, Unreadable
from porting.trace.sketches import Sketch, StoredAxes

_EMPTY = Value({"kind": "list", "class": "list", "keys": [], "items": []}, ())


class Reader(ValueReader):
    """Reads one manifest."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        super().__init__(folder, problems)
        self._paths: set[str] = set()
        self._keys: dict[tuple[int, str, int], int] = {}

    def trace(self, document: Mapping[str, Any]) -> Trace:
        """The whole manifest; what cannot be read is left out of it, and noted."""
        self.problems.note_faults(document, fields.MANIFEST_FIELDS)
        self.shards(_part(document, "shards", {}))
        self.tables(_part(document, "structures", []), _part(document, "leaves", []))
        entries = _part(document, "modules", [])
        self._paths = {path for entry in entries if isinstance(path := _part(entry, "path", ""), str)}
        modules = self.problems.each(entries, _module_place, self.module)
        self._check_modules(entries)
        calls = self.problems.each(_part(document, "calls", []), call_place, self.call)
        return Trace(
            calls=tuple(calls),
            modules={module.path: module for module in modules},
            inputs=self.value(document, "inputs") or _EMPTY,
            outputs=self.value(document, "outputs") or _EMPTY,
            tensors=self.store,
            run=_part(document, "run", {}),
            valid=self.valid(document),
            failure=self.failure(document),
            unobserved=tuple(_part(document, "unobserved", [])),
            left_out=self.left_out(document),
        )

    def _check_modules(self, entries: list[Any]) -> None:
        """No path twice, and aliases of modules that there are."""
        seen: set[str] = set()
        for entry in entries:
            path, alias = _part(entry, "path", None), _part(entry, "alias_of", None)
            if isinstance(path, str) and path in seen:
                self.problems.say(f"modules: {show(path) or 'the model itself'} is listed twice")
            seen.add(str(path))
            if isinstance(alias, str) and alias not in self._paths:
                self.problems.say(f"modules: {show(path)} is an alias of {show(alias)}, which is no module")

    def valid(self, document: Mapping[str, Any]) -> str | None:
        """The key of the positions that count."""
        entry = document.get("valid")
        if isinstance(entry, dict):
            with self.problems.at("valid"):
                self.problems.require(entry, fields.VALID_FIELDS)
                return self.place(entry, "bool", tuple(entry["shape"]))
        return None

    def failure(self, document: Mapping[str, Any]) -> Failure | None:
        """Where the run raised, which the status must agree with."""
        entry = document.get("failure")
        status = document.get("status")
        if status in ("complete", "failed") and (status == "failed") != (entry is not None):
            self.problems.say(f"status is {brief(status)}, and failure is {brief(entry)}")
        if isinstance(entry, dict):
            with self.problems.at("failure"):
                self.problems.require(entry, fields.FAILURE_FIELDS)
                return Failure(entry["path"], entry["class"], entry["error"])
        return None

    def left_out(self, document: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What was deliberately not recorded."""
        entry = document.get("left_out")
        if isinstance(entry, dict):
            with self.problems.at("left_out"):
                self.problems.require(entry, fields.LEFT_OUT_FIELDS)
                return {name: entry[name] for name in fields.LEFT_OUT_FIELDS.required}
        return None

    def call(self, index: int, entry: Any) -> Call:
        """One call, of a module that there is, made from an earlier call."""
        self.problems.require(entry, fields.CALL_FIELDS)
        key, parent = (entry["step"], entry["path"], entry["repeat"]), entry["parent"]
        if parent is not None and parent >= index:
            self.problems.say(f"parent is {parent}, and a parent comes before its children")
        if key[1] not in self._paths:
            self.problems.say(
                f"{show(key[1]) or 'the model itself'} is no module{self.problems.near(key[1], self._paths)}"
            )
        if self._keys.setdefault(key, index) != index:
            self.problems.say(f"call {self._keys[key]} has the same step, path and repeat")
        return Call(
            index=index,
            step=key[0],
            path=key[1],
            repeat=key[2],
            class_name=entry["class"],
            parent=parent,
            inputs=self.value(entry, "inputs") or _EMPTY,
            outputs=self.value(entry, "outputs") or _EMPTY,
            gradients=self.value(entry, "gradients"),
            thread=entry.get("thread", 0),
        )

    def module(self, _: int, entry: Any) -> ModuleInfo:
        """One module of the tree."""
        self.problems.require(entry, fields.MODULE_FIELDS)
        parameters = self.problems.each(
            entry["parameters"],
            lambda number, each: f"parameter {number} ({show(_part(each, 'name', '?'))})",
            self.parameter,
        )
        return ModuleInfo(
            path=entry["path"],
            class_name=entry["class"],
            training=entry["training"],
            settings=entry["settings"],
            parameters=tuple(parameters),
            alias_of=entry.get("alias_of"),
        )

    def parameter(self, _: int, entry: Any) -> ParameterInfo:
        """A parameter or buffer of a module."""
        self.problems.require(entry, fields.PARAMETER_FIELDS)
        dtype, shape = entry["dtype"], tuple(entry["shape"])
        gradient: str | None = None
        if (place := entry.get("gradient")) is not None:
            with self.problems.at("gradient"):
                self.problems.require(place, fields.PLACE_FIELDS)
                gradient = self.place(place, dtype, shape)
        return ParameterInfo(
            name=entry["name"],
            kind=entry["kind"],
            dtype=dtype,
            shape=shape,
            sketch=None if entry["sketch"] is None else self.sketch(entry["sketch"], dtype, shape),
            tied_to=entry.get("tied_to"),
            gradient=gradient,
        )

    def sketch(self, entry: Any, dtype: str, shape: tuple[int, ...]) -> Sketch | None:
        """The content of a parameter in short: a float64 vector per axis, of that axis's length."""
        with self.problems.at("sketch"):
            self.problems.require(entry, fields.SKETCH_FIELDS)
            lengths = axis_lengths(dtype, shape)
            if len(entry["axes"]) != len(lengths):
                self.problems.say(
                    f"it has {len(entry['axes'])} axes, and for shape {show(list(shape))} {len(lengths)} belong"
                )
                raise Unreadable

            def axis(number: int, place: Any) -> str:
                self.problems.require(place, fields.PLACE_FIELDS)
                return self.place(place, "float64", (lengths[number],))

            keys = self.problems.each(entry["axes"], lambda number, _: f"axis {number}", axis)
            return Sketch(StoredAxes(self.store, keys), entry["crc32"])
        return None


def axis_lengths(dtype: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The lengths of a sketch's axes: the first two of the tensor, or its element count (complex ones count twice)."""
    if len(shape) > 1:
        return shape[:2]
    return ((shape[0] if shape else 1) * (2 if dtype.startswith("complex") else 1),)


def call_place(index: int, entry: Any) -> str:
    """What a call is called in a message."""
    path = _part(entry, "path", None)
    return f"call {index} ({show(path) or 'the model itself'})" if isinstance(path, str) else f"call {index}"


def _module_place(number: int, entry: Any) -> str:
    path = _part(entry, "path", None)
    return f"module {number} ({show(path) or 'the model itself'})" if isinstance(path, str) else f"module {number}"


def _part(entry: Any, name: str, default: Any) -> Any:
    """An entry of an object if it is of the default's kind, else the default."""
    found = entry.get(name) if isinstance(entry, dict) else None
    return found if found is not None and (default is None or isinstance(found, type(default))) else default
