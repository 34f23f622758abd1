"""Untrusted names and texts made safe to show."""

from __future__ import annotations

import re

MAX_LENGTH = 200
_UNITS = ("kB", "MB", "GB", "TB")
_FACTORS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def show(value: object, limit: int = MAX_LENGTH) -> str:
    r"""Return ``value`` as printable text: control, bidirectional and unprintable characters as ``\u`` escapes.

    Args:
        value: anything; its ``str`` is taken.
        limit: longer texts are cut in the middle.
    """
    text = str(value)
    if len(text) > 2 * limit:
        text = text[:limit] + text[-limit:]  # escapes make nothing shorter, so that no more than this is ever shown
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in _utf8(text))
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def show_lines(value: object, limit: int = 10 * MAX_LENGTH) -> str:
    """The same of a text of several lines, which stay lines.

    Args:
        value: anything; its ``str`` is taken.
        limit: of a line.
    """
    return "\n".join(show(line, limit) for line in str(value).split("\n"))


def size_words(count: int) -> str:
    """A number of bytes in words: ``6.1 MB``."""
    if count < 1000:
        return f"{count} bytes"
    power = min((len(str(count)) - 1) // 3, len(_UNITS))
    tenths = count * 10 // 1000**power
    return f"{show(f'{tenths // 10:,}')}.{tenths % 10} {_UNITS[power - 1]}"


def bytes_of(size: int | str) -> int:
    """The number of bytes that a size stands for: ``500000``, ``"500kB"``, ``"2GiB"``.

    Raises:
        ValueError: it is not a size.
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]*)", str(size).strip().lower())
    if found is None or found[2] not in _FACTORS:
        raise ValueError(f"{show(repr(size))} is not a size, such as 500MB or 2GiB")
    return int(float(found[1]) * _FACTORS[found[2]])


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
