"""Nested values as a structure and named leaves, and back: ``apart`` says what has parts.

A structure is plain JSON, so that a trace can store it.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from porting.trace.apart import Untaken, is_plain_object, parts_of

Structure = dict[str, Any]
"""``{"kind": "leaf" | "list" | "tuple" | "dict", "class": str, "keys": [str, ...], "items": [Structure, ...]}``."""
MOST = 100_000
"""Parts that a value may have in all, at every level."""
DEEPEST = 100
"""Levels that a value may have."""


class Record(dict[str, Any]):
    """A rebuilt mapping, output or object: fields by name, by attribute and, as in ``ModelOutput``, by position."""

    def __getattribute__(self, name: str) -> Any:
        """A field, also where dictionaries have a method of its name: ``keys`` and ``values`` of a cache's layer."""
        return dict.__getitem__(self, name) if dict.__contains__(self, name) else super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the recorded value has no field {name!r}; it has {', '.join(self)}")

    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        return tuple(self.values())[key]


def flatten(value: Any, name: str = "") -> tuple[Structure, list[tuple[str, Any]]]:
    """Take ``value`` apart, whatever it is: what cannot be taken apart is a leaf.

    Args:
        value: anything a module takes or returns.
        name: the prefix of every leaf's name; children are joined to it with a dot.

    Returns:
        The structure, and its leaves in order as ``(name, value)``. An `Untaken` stands for what has too many parts,
        is nested too deep, does not give its parts, or is a plain object that is already among them.
    """
    taker = _Taker()
    return taker.take(value, name, frozenset()), taker.leaves


def rebuild(structure: Structure, leaves: list[Any]) -> Any:
    """Put a value together again: lists, tuples and leaves as they were, anything else as a `Record`."""
    return _rebuild(structure, iter(leaves))


def is_named(structure: Structure) -> bool:
    """Whether the parts of a value have names: a mapping, an object or a named tuple."""
    keys: list[str] = structure.get("keys", [])
    return structure["kind"] == "dict" or keys != [str(index) for index in range(len(keys))]


class _Taker:
    """Takes one value apart.

    Attributes:
        leaves: those found so far.
    """

    def __init__(self) -> None:
        self.leaves: list[tuple[str, Any]] = []
        self._room = MOST
        self._objects: dict[int, str] = {}

    def take(self, value: Any, name: str, above: frozenset[int]) -> Structure:
        """The structure of a part, which lies in the values whose ``id`` is in ``above``."""
        parts = None if id(value) in above else self._parts(value, name, len(above))
        if parts is None or isinstance(parts, Untaken):
            self.leaves.append((name, parts or value))
            return {"kind": "leaf"}
        kind, keys, items = parts
        above |= {id(value)}
        pairs = zip(keys, items, strict=True)
        return {
            "kind": kind,
            "class": type(value).__name__,
            "keys": keys,
            "items": [self.take(item, f"{name}.{key}" if name else key, above) for key, item in pairs],
        }

    def _parts(self, value: Any, name: str, depth: int) -> tuple[str, list[str], list[Any]] | Untaken | None:
        if id(value) in self._objects:
            return Untaken(f"the same as {self._objects[id(value)]}")
        parts = parts_of(value)
        if parts is None or isinstance(parts, Untaken):
            return parts
        if depth >= DEEPEST:
            return Untaken(f"not recorded: nested deeper than {DEEPEST} levels")
        if len(parts[2]) > self._room:
            return Untaken(f"not recorded: more than {MOST} parts")
        self._room -= len(parts[2])
        if is_plain_object(value):
            self._objects[id(value)] = name
        return parts


def _fields_tuple(names: list[str], items: list[Any]) -> Any:
    """A named tuple of these fields; what is no name for one, in a damaged trace, is numbered."""
    return namedtuple("Fields", names, rename=True)(*items)


def _rebuild(structure: Structure, leaves: Any) -> Any:
    if structure["kind"] == "leaf":
        return next(leaves)
    items = [_rebuild(item, leaves) for item in structure["items"]]
    if structure["kind"] == "list":
        return items
    if structure["kind"] == "tuple":
        return _fields_tuple(structure["keys"], items) if is_named(structure) else tuple(items)
    return Record(zip(structure["keys"], items, strict=True))
