"""Patterns of rules as regular expressions, and as the texts that replace what these match."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from porting.weights.rules.patterns import Field, Pattern

GROUPS = {"": r"[^.]+", "d": r"\d+", "*": r".+"}
"""What a field matches; others are alternatives."""


def field_regex(field: Field) -> str:
    """What a field matches."""
    return GROUPS.get(field.kind) or "|".join(re.escape(word) for word in field.kind.split("|"))


def named_regex(pattern: Pattern, key: Collection[str]) -> str:
    """A regular expression with a named group for each field of the key, and none for a list axis."""
    seen: set[str] = set()
    return "".join(
        _piece(pattern, part, f"?P<{part.name}>", seen)
        if isinstance(part, Field) and part.name in key
        else _bare(pattern, part)
        for part in pattern.parts
    )


def numbered_regex(pattern: Pattern) -> str:
    """A regular expression with a numbered group for each field."""
    seen: set[str] = set()
    return "".join(_piece(pattern, part, "", seen) for part in pattern.parts)


def bare_regex(pattern: Pattern) -> str:
    """A regular expression without groups that capture."""
    return "".join(_bare(pattern, part) for part in pattern.parts)


def excluding(regex: str, others: Iterable[str]) -> str:
    """A regular expression that leaves out what others match."""
    return "".join(f"(?!{other}$)" for other in others) + regex


def replacement(target: Pattern, source: Pattern, *, numbered: bool) -> tuple[str, bool]:
    r"""What replaces a match of the source's regular expression, and whether it is shifted.

    A group whose number changes is written as ``\g<1-1>``; a field that the source lacks is left as ``*``.
    """
    order = {name: number for number, name in enumerate(_order(source), 1)}
    shifted = any(isinstance(part, Field) and part.offset for part in target.parts)
    long = shifted or not numbered or len(order) > 9
    pieces = []
    for part in target.parts:
        if isinstance(part, str):
            pieces.append(part.replace("\\", r"\\"))
        elif part.name not in order:
            pieces.append("*")
        else:
            group = str(order[part.name]) if numbered else part.name
            offset = f"{part.offset:+d}" if part.offset else ""
            pieces.append(f"\\g<{group}{offset}>" if long else f"\\{group}")
    return _unambiguous(pieces), shifted


def escaped(name: str) -> str:
    """A text as a regular expression, with no more backslashes than it needs."""
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", name)


def _order(pattern: Pattern) -> list[str]:
    return list(dict.fromkeys(part.name for part in pattern.parts if isinstance(part, Field)))


def _piece(pattern: Pattern, part: str | Field, mark: str, seen: set[str]) -> str:
    if isinstance(part, str):
        return escaped(part)
    if part.name in seen:
        return f"(?P={part.name})" if mark else f"\\{_order(pattern).index(part.name) + 1}"
    seen.add(part.name)
    return f"({mark}{field_regex(pattern.fields[part.name])})"


def _bare(pattern: Pattern, part: str | Field) -> str:
    if isinstance(part, str):
        return escaped(part)
    regex = field_regex(pattern.fields[part.name])
    return f"(?:{regex})" if "|" in regex else regex


def _unambiguous(pieces: list[str]) -> str:
    """Joined, with a numbered group in the long form where a digit follows it."""
    text = ""
    for number, piece in enumerate(pieces):
        after = pieces[number + 1][:1] if number + 1 < len(pieces) else ""
        short = re.fullmatch(r"\\(\d)", piece)
        text += f"\\g<{short[1]}>" if short and after.isdigit() else piece
    return text
