"""Python expressions as text, laid out as ruff's formatter leaves them: on one line, or one element to a line."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from porting.stubs.literals import identifier, pylit

WIDTH = 119
"""Columns of a line in Transformers."""


@dataclass(frozen=True)
class Name:
    """A name that the file defines or imports."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call of such a name.

    Attributes:
        name: what is called.
        arguments: by position.
        keywords: by name.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)


def written(value: Any, indent: int = 0, before: int = 0, width: int = WIDTH) -> str:
    """An expression: literals, and `Name` and `Call` among them.

    Args:
        value: what to write.
        indent: the column at which its line starts.
        before: columns on that line in front of it, beside the indent.
        width: columns of a line.

    Raises:
        GenerationError: something in it cannot be written as a literal, or is no identifier.
    """
    line = _line(value)
    if indent + before + len(line) + 1 <= width or not _parts(value):
        return line
    opening, parts, closing = _exploded(value)
    inner = indent + 4
    lines = [f"{' ' * inner}{head}{written(item, inner, len(head), width)},\n" for head, item in parts]
    return f"{opening}\n{''.join(lines)}{' ' * indent}{closing}"


def text(value: str) -> str:
    """A string literal, raw where it has backslashes, as patterns do."""
    plain = value.isascii() and value.isprintable() and '"' not in value and not value.endswith("\\")
    raw = f'r"{value}"'
    return raw if "\\" in value and plain and ast.literal_eval(raw) == value else pylit(value)


def neutral(value: Any) -> Any:
    """The same structure without its data: what code a template makes of it by itself."""
    if isinstance(value, Call):
        keywords = {name: neutral(item) for name, item in value.keywords.items()}
        return Call(value.name, tuple(map(neutral, value.arguments)), keywords)
    if isinstance(value, (list, tuple)):
        return type(value)(map(neutral, value))
    if isinstance(value, dict):
        return {f"x{number}": neutral(item) for number, item in enumerate(value.values())}
    return "x" if isinstance(value, str) else value


def _line(value: Any) -> str:
    if not _parts(value):
        return _atom(value)
    opening, parts, closing = _exploded(value)
    single = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return f"{opening}{', '.join(head + _line(item) for head, item in parts)}{single}{closing}"


def _atom(value: Any) -> str:
    if isinstance(value, Name):
        return identifier(value.name)
    if isinstance(value, Call):
        return f"{identifier(value.name)}()"
    return text(value) if isinstance(value, str) else pylit(value)


def _parts(value: Any) -> bool:
    """Whether it has elements of its own."""
    if isinstance(value, Call):
        return bool(value.arguments or value.keywords)
    return isinstance(value, (list, tuple, dict)) and bool(value)


def _exploded(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """The opening bracket, the elements with what is in front of each, and the closing bracket."""
    if isinstance(value, Call):
        named = [(f"{identifier(name)}=", item) for name, item in value.keywords.items()]
        return f"{identifier(value.name)}(", [("", item) for item in value.arguments] + named, ")"
    if isinstance(value, dict):
        return "{", [(f"{_line(key)}: ", item) for key, item in value.items()], "}"
    opening, closing = "[]" if isinstance(value, list) else "()"
    return opening, [("", item) for item in value], closing
