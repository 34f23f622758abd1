"""Templates of Python source: data goes through filters that make literals or names of it, never code."""

from __future__ import annotations

import ast
from typing import Any

from porting.errors import GenerationError
from porting.stubs.literals import FILTERS, ensure_same_code, identifier
from porting.stubs.written import WIDTH, neutral, text, written
from porting.templating import environment

NEUTRAL: dict[str, Any] = {
    **dict.fromkeys(
        (
            "checkpoint",
            "revision",
            "original_class",
            "devices",
            "torch_version",
            "python_version",
            "date",
            "command",
            "source",
        ),
        "x",
    ),
    "measured": "0",
    "verified": "0",
    "notes": [],
    "scalars": [],
    "tensors": [("x", [0], "int64")],
    "prompt_scalars": [],
    "encoded": [("x", "x", [0], "x")],
    "prompt_encoded": [("x", "x", [0], "x")],
    "prompt_tensors": [("x", [0], "int64")],
    "provenance": {"x": "x"},
    "expected": [("x", [("x", [0])])],
    "outputs": [
        {
            "name": "x",
            "access": (("attribute", "x"),),
            "expected": {
                key: [0] for key in ("shape", "places", "channels", "valid", "means", "slice", "sums", "sums_atol")
            },
        }
    ],
}
"""Data without a meaning in place of a model's, for the code that a template has by itself."""


def render(template: str, names: dict[str, Any], data: dict[str, Any]) -> str:
    """Render a template of ``porting.templates``.

    Args:
        template: its file name.
        names: variables that decide what code there is: names of classes and helpers, flags, the user's functions.
        data: variables that become literals.

    Raises:
        GenerationError: something cannot be written, or the result has other code than the template.
    """
    templates = environment()  # of Python source, in which HTML is not escaped but every value is a literal
    templates.filters.update(FILTERS)
    templates.filters.update({"written": written, "text": text, "imported": _imported, "function_source": _function})
    loaded = templates.get_template(template)
    result = loaded.render({**names, **data})
    reference = {key: NEUTRAL[key] if value and key in NEUTRAL else neutral(value) for key, value in data.items()}
    ensure_same_code(result, loaded.render({**names, **reference}))
    return result


def _imported(names: list[str]) -> str:
    """The names of an import statement, in brackets if there are many."""
    line = ", ".join(map(identifier, names))
    return line if len(line) < WIDTH // 2 else "(\n" + "".join(f"    {identifier(name)},\n" for name in names) + ")"


def _function(source: str) -> str:
    (tree,) = ast.parse(source).body
    if not isinstance(tree, ast.FunctionDef):
        raise GenerationError("what is to be copied into the file is no function")
    return source
