"""What each object of a manifest holds: tables to check it by, which ``docs/trace.schema.json`` repeats."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple

from porting.tensorfiles import MAX_DIMENSIONS
from porting.text import show


class Kind(NamedTuple):
    """What may stand in a field: in words, and as a test."""

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Fields:
    """The fields of one kind of object: those that it must have, and those that it may have."""

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind] = field(default_factory=dict)


LONGEST_GUESSED = 200
"""Characters of a name that others are compared with; the time that takes grows with their square."""
MOST_GUESSED = 2000


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was meant, among the first of ``names`` and those of a length that people give."""
    if len(name) > LONGEST_GUESSED:
        return None
    likely = [each for each in islice(names, MOST_GUESSED) if len(each) <= LONGEST_GUESSED]
    return next(iter(get_close_matches(name, likely, 1)), None)


def near(name: str, names: Iterable[str]) -> str:
    """A question after the name that was meant, or nothing."""
    found = nearest(name, names)
    return "" if found is None else f"; did you mean {show(found)}?"


def brief(value: Any) -> str:
    """A value of the manifest in print, as JSON."""
    return show(json.dumps(value)[:1000], 60)


def faults(entry: Any, fields: Fields, *, guess: bool = True) -> Iterator[str]:
    """What is missing in an object, or is of another kind; ``guess`` names what may be there in its place."""
    if type(entry) is not dict:
        yield f"it is {brief(entry)}, and must be an object"
        return
    spare = [name for name in entry if name not in fields.required and name not in fields.optional]
    for name, kind in fields.required.items():
        if name not in entry:
            meant = nearest(name, spare if guess else ())
            yield f"{name} is missing" + ("" if meant is None else f" (there is {show(meant)})")
        elif not kind.holds(entry[name]):
            yield f"{name} is {brief(entry[name])}, and must be {kind.words}"
    for name, kind in fields.optional.items():
        if name in entry and not kind.holds(entry[name]):
            yield f"{name} is {brief(entry[name])}, and must be {kind.words}"


def unknown(entry: Mapping[str, Any], fields: Fields, *, guess: bool = True) -> Iterator[str]:
    """The keys of an object that the format does not have; readers pass over them."""
    names = [*fields.required, *fields.optional]
    for name in entry:
        if name not in names:
            yield f"{show(name)} is no key of the format{near(name, names if guess else ())}"


def _of(*types: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in types


def _listed(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: type(value) is list and all(map(holds, value))


def _or_null(kind: Kind) -> Kind:
    return Kind(f"{kind.words}, or null", lambda value: value is None or kind.holds(value))


def _is_natural(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_size(value: Any) -> bool:
    """Whether a value is a number that is finite and not negative."""
    return type(value) in (int, float) and 0 <= value <= sys.float_info.max


def _is_noise(value: Any) -> bool:
    return type(value) is dict and all(
        type(pair) is list and len(pair) == 2 and all(map(_is_size, pair)) for pair in value.values()
    )


CHECKSUMS = {"tensor": "crc32", "shard header": "sha256", "manifest": "sha256"}
"""The algorithms; a writer that keeps to one layout of the manifest's text names that, too."""
LAYOUT = "compact"
DTYPES = (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "bfloat16",
    "float32", "float64", "complex64", "float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu", "float8_e5m2fnuz",
    "float8_e4m3fnuz",
)  # fmt: skip
"""The dtypes that a recorded tensor can have, by torch's names."""

_TEXT = Kind("a string", _of(str))
_TEXTS = Kind("a list of strings", _listed(_of(str)))
_FLAG = Kind("true or false", _of(bool))
_NATURAL = Kind("a whole number of at least 0", _is_natural)
_CRC32 = Kind("a whole number from 0 to 4294967295", lambda value: _is_natural(value) and value < 1 << 32)
_SHA256 = Kind(
    "64 hexadecimal digits in lower case",
    lambda value: type(value) is str and re.fullmatch(r"[0-9a-f]{64}", value) is not None,
)
_SCALAR = Kind("a number, a string, true, false or null", _of(bool, int, float, str, type(None)))
_OBJECT = Kind("an object", _of(dict))
_LIST = Kind("a list", _of(list))
_LENGTHS = Kind(
    "a list of at most 64 whole numbers of at least 0",
    lambda value: _listed(_is_natural)(value) and len(value) <= MAX_DIMENSIONS and all(n < 1 << 63 for n in value),
)
_STEPS = Kind("a list of whole numbers", _listed(_of(int)))
_DTYPE = Kind(f"one of {', '.join(DTYPES)}", lambda value: value in DTYPES)
_SETTINGS = Kind(
    "an object of numbers, strings, booleans and nulls",
    lambda value: type(value) is dict and all(map(_SCALAR.holds, value.values())),
)
_NOISE = Kind("an object of pairs of numbers of at least 0, the largest and the L2 difference", _is_noise)
_STATUS = Kind('"complete" or "failed"', lambda value: value in ("complete", "failed"))
_OWNED = ("parameter", "buffer", "non-persistent buffer")
_OWN_KIND = Kind('"parameter", "buffer" or "non-persistent buffer"', lambda value: value in _OWNED)
_BRANCH = Kind('"leaf", "list", "tuple" or "dict"', lambda value: value in ("leaf", "list", "tuple", "dict"))

MANIFEST_FIELDS = Fields(
    {
        "format": Kind("1", lambda value: type(value) is int and value == 1),
        "status": _STATUS,
        "checksums": Kind(json.dumps(CHECKSUMS), lambda value: value in (CHECKSUMS, {**CHECKSUMS, "layout": LAYOUT})),
        "run": _OBJECT,
        "modules": _LIST,
        "calls": _LIST,
        "inputs": _OBJECT,
        "outputs": _OBJECT,
        "valid": _or_null(_OBJECT),
        "failure": _or_null(_OBJECT),
        "shards": _OBJECT,
        "sha256": _SHA256,
    },
    {"unobserved": _TEXTS, "left_out": _or_null(_OBJECT), "structures": _LIST, "leaves": _LIST},
)
SHARD_FIELDS = Fields({"bytes": _NATURAL, "header_sha256": _SHA256})
FAILURE_FIELDS = Fields({"path": _TEXT, "class": _TEXT, "error": _TEXT})
LEFT_OUT_FIELDS = Fields(
    {
        "include": _TEXTS,
        "exclude": _TEXTS,
        "classes": _TEXTS,
        "depth": _or_null(_NATURAL),
        "limit": _or_null(_NATURAL),
        "tensors": _NATURAL,
        "bytes": _NATURAL,
    }
)
CALL_FIELDS = Fields(
    {
        "step": _NATURAL,
        "path": _TEXT,
        "repeat": _NATURAL,
        "class": _TEXT,
        "parent": _or_null(_NATURAL),
        "inputs": _OBJECT,
        "outputs": _OBJECT,
    },
    {"gradients": _or_null(_OBJECT), "thread": _NATURAL},
)
VALUE_FIELDS = Fields(
    {
        "structure": Kind("an object, or its number in structures", lambda value: type(value) in (dict, int)),
        "leaves": _LIST,
    }
)
LEAF_STRUCTURE_FIELDS = Fields({"kind": _BRANCH})
STRUCTURE_FIELDS = Fields({"kind": _BRANCH, "class": _TEXT, "keys": _TEXTS, "items": _LIST})
PLACE_FIELDS = Fields({"shard": _TEXT, "key": _TEXT, "crc32": _CRC32})
VALID_FIELDS = Fields({"shape": _LENGTHS, **PLACE_FIELDS.required})
TENSOR_FIELDS = Fields(
    {"name": _TEXT, "dtype": _DTYPE, "shape": _LENGTHS, **PLACE_FIELDS.required},
    {"strides": _STEPS, "noise": _or_null(_NOISE)},
)
OTHER_FIELDS = Fields({"name": _TEXT, "type": _TEXT}, {"dtype": _or_null(_TEXT), "shape": _or_null(_LENGTHS)})
SCALAR_FIELDS = Fields({"name": _TEXT, "value": _SCALAR})
MODULE_FIELDS = Fields(
    {"path": _TEXT, "class": _TEXT, "training": _FLAG, "settings": _SETTINGS, "parameters": _LIST},
    {"alias_of": _or_null(_TEXT)},
)
PARAMETER_FIELDS = Fields(
    {"name": _TEXT, "kind": _OWN_KIND, "dtype": _TEXT, "shape": _LENGTHS, "sketch": _or_null(_OBJECT)},
    {"tied_to": _or_null(_TEXT), "gradient": _or_null(_OBJECT)},
)
SKETCH_FIELDS = Fields({"crc32": _CRC32, "axes": _LIST})


def leaf_fields(entry: Mapping[str, Any]) -> Fields | None:
    """The fields of a leaf: a recorded tensor, something that was not recorded, or a plain value; None: neither."""
    if any(name in entry for name in PLACE_FIELDS.required):
        return TENSOR_FIELDS
    if "type" in entry:
        return OTHER_FIELDS
    return SCALAR_FIELDS if "value" in entry else None
