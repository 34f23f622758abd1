"""The header of a NumPy array, parsed as text: nothing in it is evaluated."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from porting.tensorfiles import can_be_held

MAX_HEADER_BYTES = 10_000
"""As NumPy."""
TORCH_NAMES = {
    "b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8", "u2": "uint16",
    "u4": "uint32", "u8": "uint64", "f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64",
    "c16": "complex128", "V2": "bfloat16",
}  # fmt: skip
"""NumPy's type strings in torch's words. Nothing but bfloat16 is usually saved as two bytes without a type."""

_MAGIC = b"\x93NUMPY"
_KEY = r"\s*(?P<quote>['\"])(?P<key>descr|fortran_order|shape)(?P=quote)\s*:\s*"
_VALUE = r"(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<flag>True|False)|\((?P<shape>[0-9L, ]*)\))\s*,?\s*"
_PAIR = re.compile(_KEY + _VALUE)
_DESCR = re.compile(r"([<>|=]?)([a-zA-Z])([0-9]*)")
_KINDS = {"descr": "text", "fortran_order": "flag", "shape": "shape"}


class NpyHeader(NamedTuple):
    """What an array is.

    Attributes:
        dtype: in torch's words; empty for text, which no tensor can hold.
        shape: its dimensions.
        fortran: whether its elements lie column by column.
        swapped: whether they are big-endian.
        start: where they start, counted from the start of the header.
        length: how many bytes they take.
    """

    dtype: str
    shape: tuple[int, ...]
    fortran: bool
    swapped: bool
    start: int
    length: int


def parse(head: bytes) -> NpyHeader:
    """Parse the first bytes of an array file, at least the first `MAX_HEADER_BYTES` + 12 if it has as many.

    Raises:
        ValueError: it is no array, or one of objects or of a type that torch lacks.
    """
    if head[:6] != _MAGIC or head[6:8] not in (b"\1\0", b"\2\0") or len(head) < 12:
        raise ValueError("it does not start as a NumPy array does")
    start = 10 if head[6] == 1 else 12
    length = int.from_bytes(head[8:start], "little")
    if length > min(MAX_HEADER_BYTES, len(head) - start):
        raise ValueError(f"its header claims {length:,} bytes")
    given = _pairs(head[start : start + length].decode("latin-1").strip())
    dtype, width, swapped = _dtype(given["descr"][1:-1])
    shape = tuple(_length(number) for number in given["shape"].split(",") if number.strip())
    if not can_be_held(shape, 8 * max(width, 1)):
        raise ValueError("no array can have its shape")
    fortran = given["fortran_order"] == "True"
    return NpyHeader(dtype, shape, fortran, swapped, start + length, math.prod(shape) * width)


def _pairs(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    at, end = 1, len(text) - 1
    while at < end:
        pair = _PAIR.match(text, at, end)
        if pair is None or pair["key"] in given or pair[_KINDS[pair["key"]]] is None:
            raise ValueError("its header is not that of a plain array")
        given[pair["key"]] = pair[_KINDS[pair["key"]]]
        at = pair.end()
    if set(given) != set(_KINDS) or text[0] + text[-1] != "{}":
        raise ValueError("its header is not that of a plain array")
    return given


def _length(text: str) -> int:
    digits = text.strip().removesuffix("L")
    if not digits.isdigit() or len(digits) > 19:
        raise ValueError("its header is not that of a plain array")
    return int(digits)


def _dtype(descr: str) -> tuple[str, int, bool]:
    """The dtype in torch's words, its bytes, and whether they are big-endian."""
    found = _DESCR.fullmatch(descr)
    if found is None or found[2] == "O" or len(found[3]) > 9:
        raise ValueError(f"its elements are Python objects or of the unknown type {descr!r}: they are not read")
    order, kind, digits = found.groups()
    if kind in "US":
        return "", int(digits or 0) * (4 if kind == "U" else 1), False
    if kind + digits not in TORCH_NAMES:
        raise ValueError(f"its elements are of the type {descr!r}, which torch cannot hold")
    return TORCH_NAMES[kind + digits], int(digits), order == ">"
