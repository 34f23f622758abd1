"""Nested values as a structure and named leaves, and back.

Tuples, lists, mappings (``ModelOutput`` among them), named tuples, dataclasses and plain objects that hold tensors
(caches) are taken apart; everything else is a leaf.  A structure is plain JSON, so that a trace can store it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch

Structure = dict[str, Any]
"""``{"kind": "leaf" | "list" | "tuple" | "dict", "class": str, "keys": [str, ...], "items": [Structure, ...]}``."""


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
    """Take ``value`` apart.

    Args:
        value: anything a module takes or returns.
        name: the prefix of every leaf's name; children are joined to it with a dot.

    Returns:
        The structure, and its leaves in order as ``(name, value)``.
    """
    leaves: list[tuple[str, Any]] = []
    return _flatten(value, name, leaves, frozenset()), leaves


def rebuild(structure: Structure, leaves: list[Any]) -> Any:
    """Put a value together again: lists, tuples and leaves as they were, anything else as a `Record`."""
    return _rebuild(structure, iter(leaves))


def is_named(structure: Structure) -> bool:
    """Whether the parts of a value have names: a mapping, an object or a named tuple."""
    keys: list[str] = structure.get("keys", [])
    return structure["kind"] == "dict" or keys != [str(index) for index in range(len(keys))]


def _flatten(value: Any, name: str, leaves: list[tuple[str, Any]], above: frozenset[int]) -> Structure:
    parts = None if id(value) in above else _parts(value)
    if parts is None:
        leaves.append((name, value))
        return {"kind": "leaf"}
    kind, keys, items = parts
    above |= {id(value)}
    return {
        "kind": kind,
        "class": type(value).__name__,
        "keys": keys,
        "items": [
            _flatten(item, f"{name}.{key}" if name else key, leaves, above)
            for key, item in zip(keys, items, strict=True)
        ],
    }


def _parts(value: Any) -> tuple[str, list[str], list[Any]] | None:
    if value is None or isinstance(value, (torch.Tensor, torch.nn.Module, str, bytes, int, float, torch.Size)):
        return None
    if isinstance(value, Mapping):
        return "dict", [str(key) for key in value], [value[key] for key in value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return "tuple", list(value._fields), list(value)
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return kind, [str(index) for index in range(len(value))], list(value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return "dict", names, [getattr(value, field) for field in names]
    return _object_parts(value)


def _object_parts(value: Any) -> tuple[str, list[str], list[Any]] | None:
    """The fields of a plain object that lead to tensors (a cache and its layers), or None if there are none."""
    if isinstance(value, type) or callable(value) or not hasattr(value, "__dict__"):
        return None
    held = {key: item for key, item in vars(value).items() if _holds_tensor(item, {id(value)})}
    return ("dict", list(held), list(held.values())) if held else None


def _holds_tensor(value: Any, seen: set[int]) -> bool:
    if isinstance(value, torch.Tensor):
        return True
    if id(value) in seen or isinstance(value, (torch.nn.Module, str, bytes, int, float, type)):
        return False
    seen.add(id(value))
    if isinstance(value, Mapping):
        return any(_holds_tensor(value[key], seen) for key in value)
    if isinstance(value, (list, tuple)):
        return any(_holds_tensor(item, seen) for item in value)
    if callable(value):
        return False
    return any(_holds_tensor(item, seen) for item in getattr(value, "__dict__", {}).values())


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
