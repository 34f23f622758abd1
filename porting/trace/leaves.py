"""The values of a manifest: nested inputs and outputs, their leaves, and the shards that their tensors lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from porting.errors import TraceError
from porting.text import show
from porting.trace import fields
from porting.trace.fields import brief
from porting.trace.folders import SHARD_NAME
from porting.trace.parts import Leaf, Value
from porting.trace.problems import Problems, Unreadable
from porting.trace.store import Store
from porting.trace.structure import Structure

T = TypeVar("T")


class ValueReader:
    """Reads shards, values and places.

    Attributes:
        problems: where it is, and what it finds wrong.
        store: the tensors that the manifest speaks of.
        listed: the shards that it lists, by file name.
        first_named: where each tensor is spoken of first, in words, by key; kept if problems are collected.
    """

    def __init__(self, folder: Path, problems: Problems) -> None:
        self.problems = problems
        self.store = Store(folder)
        self.listed: Mapping[str, Any] = {}
        self.first_named: dict[str, str] = {}
        self._structures: list[tuple[Structure, int] | None] = []
        self._leaves: list[Leaf | None] = []

    def shards(self, entries: Mapping[str, Any]) -> None:
        """Open the shards, which must be the files that the manifest speaks of."""
        self.listed = entries
        for name, entry in entries.items():
            with self.problems.at(f"shard {show(name)}"):
                if not SHARD_NAME.fullmatch(name):
                    self.problems.say("a shard's name is tensors-NNNNN.safetensors")
                    raise Unreadable
                self.problems.require(entry, fields.SHARD_FIELDS)
                self._open(name, entry)

    def _open(self, name: str, entry: Mapping[str, Any]) -> None:
        try:
            header = self.store.open(name)
        except TraceError as error:
            self.problems.say(error.message, hint=error.hint)
            return
        for key, found in (("bytes", header.size), ("header_sha256", header.sha256)):
            if entry[key] != found:
                self.problems.say(f"{key} is {brief(entry[key])}, and of the file it is {found}")

    def tables(self, structures: list[Any], leaves: list[Any]) -> None:
        """Read the structures and leaves that are listed once; values name them by their number."""
        for number, entry in enumerate(structures):
            self._structures.append(None)
            with self.problems.at(f"structure {number}"):
                self._structures[number] = entry, self.count(entry)
        for number, entry in enumerate(leaves):
            self._leaves.append(None)
            with self.problems.at(f"leaves, leaf {number}"):
                self._leaves[number] = self._described(entry)
        self.first_named.clear()  # a tensor is named by who uses it

    def _numbered(self, number: int, entries: Sequence[T | None], name: str) -> T:
        """An entry of a table."""
        if not 0 <= number < len(entries):
            self.problems.say(f"it is number {number} of the {name}, and there are {len(entries)}")
            raise Unreadable
        entry = entries[number]
        if entry is None:  # its own problems have been noted
            raise Unreadable
        return entry

    def value(self, owner: Mapping[str, Any], name: str) -> Value | None:
        """A value that ``owner`` may have."""
        entry = owner.get(name)
        if not isinstance(entry, dict):
            return None
        with self.problems.at(name):
            self.problems.require(entry, fields.VALUE_FIELDS)
            leaves = self.problems.each(entry["leaves"], lambda number, _: f"leaf {number}", self.leaf)
            structure, count = self._structure(entry["structure"])
            if count != len(entry["leaves"]):
                self.problems.say(f"the structure has {count} leaves, and {len(entry['leaves'])} are listed")
            return Value(structure, tuple(leaves))
        return None

    def _structure(self, entry: Any) -> tuple[Structure, int]:
        """A structure, or the one with a number, and how many leaves it has."""
        return (
            self._numbered(entry, self._structures, "structures") if type(entry) is int else (entry, self.count(entry))
        )

    def count(self, structure: Structure) -> int:
        """How many leaves a structure has."""
        branch = isinstance(structure, dict) and structure.get("kind") in ("list", "tuple", "dict")
        self.problems.require(structure, fields.STRUCTURE_FIELDS if branch else fields.LEAF_STRUCTURE_FIELDS)
        if not branch:
            return 1
        keys, items = structure["keys"], structure["items"]
        if len(keys) != len(items):
            self.problems.say(f"the structure has {len(keys)} keys for {len(items)} items")
        return sum(self.count(item) for item in items)

    def leaf(self, _: int, entry: Any) -> Leaf:
        """A leaf, or the one with a number."""
        if type(entry) is not int:
            return self._described(entry)
        leaf = self._numbered(entry, self._leaves, "leaves")
        if leaf.tensor is not None:
            self._name(leaf.tensor)
        return leaf

    def _described(self, entry: Any) -> Leaf:
        """A recorded tensor, a plain value, or something that was not recorded."""
        kind = fields.leaf_fields(entry) if isinstance(entry, dict) else fields.SCALAR_FIELDS
        if kind is None:
            self.problems.say(
                "a leaf has shard, key and crc32 (a tensor), or value, or type, and this has none of them"
            )
            raise Unreadable
        self.problems.require(entry, kind)
        dtype, shape, strides = entry.get("dtype"), _lengths(entry, "shape"), _lengths(entry, "strides")
        key = self.place(entry, entry["dtype"], shape or ()) if kind is fields.TENSOR_FIELDS else None
        noise = {name: (float(pair[0]), float(pair[1])) for name, pair in (entry.get("noise") or {}).items()}
        return Leaf(
            entry["name"], dtype, shape, strides, key, entry.get("value"), entry.get("type"), noise=noise or None
        )

    def place(self, entry: Mapping[str, Any], dtype: str, shape: tuple[int, ...]) -> str:
        """The key of a tensor, which must be what its shard's header says; ``entry`` has its fields."""
        shard, key = entry["shard"], str(entry["key"])
        if shard not in self.listed:
            self.problems.say(f"{show(shard)} is not among the shards{self.problems.near(shard, self.listed)}")
        elif shard in self.store.headers:
            if wrong := self.store.register(entry, dtype, shape, guess=self.problems.guesses):
                self.problems.say(wrong)
            self._name(key)
        return key

    def _name(self, key: str) -> None:
        if self.problems.collect:
            self.first_named.setdefault(key, self.problems.where())


def _lengths(entry: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    return None if entry.get(name) is None else tuple(entry[name])
