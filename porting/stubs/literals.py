"""Names and values as Python source: data can become a literal, a checked name or plain words, and never code."""

from __future__ import annotations

import ast
import keyword
import math
import pprint
import re
from collections.abc import Sequence
from typing import Any

from porting.errors import GenerationError
from porting.parts import part
from porting.text import show

LINE = 110
"""Columns that a literal may fill; Transformers' lines end at 119."""
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
LITERAL_NODES = {"Constant", "List", "Tuple", "Dict", "UnaryOp", "USub", "Load"}


def pylit(value: Any, indent: int = 0) -> str:
    """An ASCII literal that evaluates to ``value``: texts, finite numbers, booleans, None, and lists, tuples and dicts
    of them.

    Args:
        value: what to write.
        indent: the column at which the literal starts; nested numbers that would pass `LINE` are wrapped.

    Raises:
        GenerationError: the value, or something in it, is of another kind, or a number is not finite.
    """
    try:
        text = _wrapped(value, _literal(value), indent)
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        what = f"{type(error).__name__}: {show(error)}"
        raise GenerationError(f"a {type(value).__name__} cannot be written as a literal: {what}") from None
    if not same:
        raise GenerationError(f"{show(text)} does not evaluate to the value that it was made from")
    return text


def identifier(name: str) -> str:
    """``name``, if it is a plain ASCII identifier.

    Raises:
        GenerationError: it is anything else, or a keyword.
    """
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        raise GenerationError(
            f"{show(name)!r} cannot be a name in Python source",
            hint="a name is made of ASCII letters, digits and underscores; for the test's own name, set MODEL_NAME",
        )
    return name


def dotted(name: str) -> str:
    """``name``, if it is identifiers joined by dots: the path of a module."""
    return ".".join(identifier(part) for part in name.split("."))


def snake(model_name: str) -> str:
    """A model's name as part of a file's name: ``brand_new_bert``.

    Raises:
        GenerationError: it has no ASCII letter to begin with.
    """
    return identifier("_".join(_words(model_name)).lower())


def camel(model_name: str) -> str:
    """A model's name as the beginning of a class's: ``BrandNewBert``."""
    return "".join(word[0].upper() + word[1:] for word in _words(model_name))


def plain(text: object) -> str:
    """A text for comments and docstrings: ASCII letters, digits and harmless marks, everything else a ``?``."""
    return re.sub(r"[^A-Za-z0-9 _.,:;()/+-]+", "?", show(text, 100))


def prose(text: str, indent: int) -> str:
    """A text of many lines for the inside of a docstring: the docstring holds the same lines, indented.

    Args:
        text: its lines; what is not ASCII is escaped.
        indent: columns before each line that is not empty.

    Raises:
        GenerationError: a docstring with it would not hold it.
    """
    lines = [line.rstrip() for line in text.expandtabs(4).splitlines()]
    escaped = [line.encode("unicode_escape").decode("ascii").replace('"""', r"\"\"\"") for line in lines]
    found = "\n".join(" " * indent + line if line else "" for line in escaped)
    if ast.literal_eval(f'"""\n{found}\n"""') != "\n".join(
        ["", *(" " * indent + line if line else "" for line in lines), ""]
    ):
        raise GenerationError("the original's code cannot be quoted in a docstring")
    return found


def accessor(path: Sequence[tuple[str, str | int]]) -> str:
    """What follows an object's name to reach a part: ``("attribute", name)`` or ``("item", key)`` for each level."""
    return "".join(f".{identifier(str(name))}" if kind == "attribute" else f"[{pylit(name)}]" for kind, name in path)


FILTERS = {
    "pylit": pylit,
    "identifier": identifier,
    "dotted": dotted,
    "plain": plain,
    "prose": prose,
    "accessor": accessor,
    "part": part,
}
"""What a template may put data through; nothing else reaches a generated Python file."""


def ensure_same_code(text: str, reference: str) -> None:
    """Check that a rendered file does what its template does, and nothing besides.

    Args:
        text: the file.
        reference: the same template, rendered with neutral data and the same names.

    Raises:
        GenerationError: it does not parse, imports or calls something else, or has another kind of code.
    """
    try:
        found, wanted = _code(text), _code(reference)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise GenerationError(f"the generated file is not Python: {show(error)}") from None
    if found[:2] != wanted[:2] or not found[2] <= wanted[2] | LITERAL_NODES:
        raise GenerationError(
            "a name or a value of this model became code in the generated file, so it is not written"
        )


def _wrapped(value: Any, text: str, indent: int) -> str:
    if len(text) + indent <= LINE or '"' in text:
        return text
    wrapped = pprint.pformat(value, width=LINE - indent, compact=True, sort_dicts=False)
    return wrapped.replace("\n", "\n" + " " * indent)


def _words(model_name: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+", model_name[:60])


def _literal(value: Any) -> str:
    kind: type = type(value)
    if value is None or kind in (bool, int) or (kind is float and math.isfinite(value)):
        return repr(value)
    if kind is str:
        escaped: str = value.encode("unicode_escape").decode("ascii")
        return '"' + escaped.replace('"', '\\"') + '"'
    if kind is list:
        return f"[{', '.join(map(_literal, value))}]"
    if kind is tuple:
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    if kind is dict:
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    what = show(value) if kind is float else f"a {show(kind.__name__)}"
    raise GenerationError(f"{what} cannot be written as a literal")


def _code(text: str) -> tuple[set[str], set[str], set[str]]:
    """The imports, the called functions and the kinds of syntax of a file."""
    nodes = list(ast.walk(ast.parse(text)))
    imports = {ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))}
    calls = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
    return imports, calls, {type(node).__name__ for node in nodes}
