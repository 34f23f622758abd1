"""Untrusted names and texts made safe to show."""

from __future__ import annotations

MAX_LENGTH = 200


def show(value: object, limit: int = MAX_LENGTH) -> str:
    r"""Return ``value`` as printable text: control, bidirectional and unprintable characters as ``\u`` escapes.

    Args:
        value: anything; its ``str`` is taken.
        limit: longer texts are cut in the middle.
    """
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in _utf8(str(value)))
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
