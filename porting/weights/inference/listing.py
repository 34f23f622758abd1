"""Proposed rules as Python for the portfile."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from porting.stubs.written import Call, written
from porting.text import show
from porting.weights.inference.claims import CERTAIN

if TYPE_CHECKING:
    from porting.weights.inference.result import Proposed
    from porting.weights.rules.rule import Rule

WIDTH = 88
"""Columns of a line, where a pattern is not longer by itself: a terminal shows it whole."""


def as_python(proposed: Sequence[Proposed]) -> str:
    """A function ``rules`` to paste; what is not certain says so in a comment."""
    ruled = [(each, _call(each.rule)) for each in proposed if each.rule is not None]
    names = sorted({name for _, call in ruled for name in _names(call)})
    imports = [f"    from porting.weights import {', '.join(names)}", ""] if names else []
    lines = [line for each, call in ruled for line in (*_note(each), f"        {written(call, 8, width=WIDTH)},")]
    return "\n".join(["def rules():", *imports, "    return [", *lines, "    ]", ""])


def _note(each: Proposed) -> list[str]:
    said = f"{each.confidence}: {'; '.join(map(show, each.evidence))}"
    return [] if each.confidence == CERTAIN else [f"        # {line}" for line in wrap(said, WIDTH - 10)]


def _call(rule: Rule) -> Call:
    call = _value(ast.parse(repr(rule), mode="eval").body)
    assert isinstance(call, Call)
    return call


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        keywords = {keyword.arg or "": _value(keyword.value) for keyword in node.keywords}
        return Call(node.func.id, tuple(map(_value, node.args)), keywords)
    if isinstance(node, (ast.List, ast.Tuple)):
        items = list(map(_value, node.elts))
        return items if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)


def _names(value: Any) -> Iterator[str]:
    """Every name that an expression calls."""
    if isinstance(value, Call):
        yield value.name
        for item in (*value.arguments, *value.keywords.values()):
            yield from _names(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _names(item)
