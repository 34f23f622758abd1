"""What a file calls, by whole names: ``torch.nn.functional.dropout``, however it was imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from porting.conventions.files import Source


@dataclass(frozen=True, slots=True)
class Called:
    """One call in a file.

    Attributes:
        node: of it.
        name: the whole name of what is called; of a method of anything ``.name`` alone; empty for anything else.
        above: what it stands in, from the file inwards.
    """

    node: ast.Call
    name: str
    above: tuple[ast.AST, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions and classes that it stands in, from the outermost inwards."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return tuple(each.name for each in self.above if isinstance(each, kinds))

    def argument(self, name: str, position: int | None = None) -> ast.expr | None:
        """What is passed under a name or at a position; None if nothing is.

        Args:
            name: of the parameter.
            position: of it, from 0; None if it is only taken by name.
        """
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return keyword.value
        given = self.node.args
        return given[position] if position is not None and position < len(given) else None

    @property
    def is_open(self) -> bool:
        """Whether it passes on arguments that are not written down: ``*args``, ``**kwargs``."""
        starred = any(isinstance(each, ast.Starred) for each in self.node.args)
        return starred or any(keyword.arg is None for keyword in self.node.keywords)


def calls(source: Source) -> Iterator[Called]:
    """Every call in a file."""
    names = _imported(source.tree)
    stack: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(source.tree, ())]
    while stack:
        node, above = stack.pop()
        if isinstance(node, ast.Call):
            yield Called(node, _whole(node.func, names), above)
        stack += [(child, (*above, node)) for child in ast.iter_child_nodes(node)]


def _imported(tree: ast.Module) -> dict[str, str]:
    """The whole name of each imported name."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname: each.name for each in node.names if each.asname}
            found |= {top: top for each in node.names if not each.asname for top in [each.name.partition(".")[0]]}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def _whole(node: ast.expr, names: dict[str, str]) -> str:
    """The whole name of an expression."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if not isinstance(node, ast.Attribute):
        return ""
    above = _whole(node.value, names)
    return f"{above}.{node.attr}" if above and not above.startswith(".") else f".{node.attr}"
