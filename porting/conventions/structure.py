"""How a port's classes are built on others: levels of inheritance, and imports from other models' files."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from porting.conventions.files import Source
from porting.text import show

MOST_LEVELS = 2
"""Classes from a model up to ``PreTrainedModel``: its own, and one that all models of the file share."""
SHARED = ("auto", "timm_backbone", "timm_wrapper", "deprecated")
"""Folders beside the models that any model may import from."""


def levels(kind: type, base: type) -> list[type]:
    """The classes from a model up to a base, without that and other bases that the library gives: the longest way."""
    ways = [levels(each, base) for each in kind.__bases__ if issubclass(each, base) and each is not base]
    given = kind.__module__.startswith("transformers.") and not kind.__module__.startswith("transformers.models.")
    return [*([] if given else [kind]), *max(ways, key=len, default=[])]


def foreign_imports(source: Source) -> Iterator[tuple[int, str]]:
    """Line and words of each import of another model's modeling code; a modular file is made of them.

    With a relative import (``from ..llama.modeling_llama``) or an absolute one (``transformers.models.llama.…``).
    """
    if source.path.name.startswith("modular_"):
        return
    own = source.path.parent.name
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (found := _model(node)) and found not in (own, *SHARED):
            yield node.lineno, f"imports from the files of {show(found)}"


def _model(node: ast.ImportFrom) -> str | None:
    """The folder of a model whose modeling code is imported."""
    parts = (node.module or "").split(".")
    if node.level == 0 and parts[:2] == ["transformers", "models"]:
        parts = parts[2:]
    elif node.level not in (2, 3) or (node.level == 3 and parts[:1] != ["models"]):
        return None
    parts = parts[1:] if node.level == 3 else parts
    return parts[0] if len(parts) == 2 and parts[1].startswith("modeling_") else None


def names_of(kinds: list[type]) -> str:
    """Classes, one above the other, as text."""
    return " < ".join(show(each.__name__) for each in kinds)
