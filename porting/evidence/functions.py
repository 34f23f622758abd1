"""The functions of a portfile as evidence speaks of them: each with what it needs of the file, and no more."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cached_property, lru_cache

LONGEST_PATH = 1000
MAKES_PATHS = frozenset({"Path", "join", "exists", "isfile", "isdir"})
"""Of ``pathlib`` and ``os.path``: what makes a path of texts, or says whether something is there."""


class Source:
    """A portfile, read and not run.

    Args:
        text: of the file.
    """

    def __init__(self, text: str) -> None:
        try:
            self._body = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError):
            self._body = []

    def fingerprint(self, name: str) -> str:
        """Of a function and what it uses of the file, whatever is said in comments and how it is set.

        Statements that do more than bind names are part of every function.
        """
        text = "\n".join(ast.unparse(statement) for statement in self._needed(name))
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]

    def imports(self, name: str) -> Iterator[ast.Import | ast.ImportFrom]:
        """The imports of a function, and of what it uses of the file."""
        for statement in self._needed(name):
            for node in ast.walk(statement):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node

    def texts(self, name: str) -> set[str]:
        """The texts in a function and in what it uses of the file that may be the name of a file."""
        nodes = (node for statement in self._needed(name) for node in ast.walk(statement))
        found = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        return {text for text in found if 0 < len(text) < LONGEST_PATH and "\n" not in text and "\0" not in text}

    def places(self, name: str) -> set[str]:
        """The paths that a function, and what it uses of the file, makes of texts, or asks ``os.path`` about.

        ``Path("a", "b")`` is one, and so is ``folder / "a" / "b"``, wherever ``folder`` is; what is on the way is not.
        """
        nodes = [node for statement in self._needed(name) for node in ast.walk(statement)]
        found = {"/".join(texts) for texts in map(_joined, nodes) if texts}
        last = {text for text in found if not any(other.startswith(f"{text}/") for other in found)}
        return {text for text in last if len(text) < LONGEST_PATH and "\n" not in text and "\0" not in text}

    @cached_property
    def _binding(self) -> dict[str, list[ast.stmt]]:
        """The statements of the file that bind each name."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self._body:
            for name in _bound(statement):
                found.setdefault(name, []).append(statement)
        return found

    def _needed(self, name: str) -> list[ast.stmt]:
        """What a name needs, in the order of the file."""
        needed = {id(statement): statement for statement in self._body if not _only_binds(statement)}
        left = [name, *(used for statement in needed.values() for used in _used(statement))]
        seen: set[str] = set()
        while left:
            if (wanted := left.pop()) in seen:
                continue
            seen.add(wanted)
            for statement in self._binding.get(wanted, ()):
                needed[id(statement)] = statement
                left += _used(statement)
        return [statement for statement in self._body if id(statement) in needed and not _is_text(statement)]


@lru_cache(maxsize=16)
def source_of(text: str) -> Source:
    """A portfile from its text, read once."""
    return Source(text)


def _only_binds(statement: ast.stmt) -> bool:
    """Whether a statement does no more than bind names that it says."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return all(isinstance(target, ast.Name | ast.Tuple | ast.List) for target in targets)
    if isinstance(statement, ast.ImportFrom):
        return statement.names[0].name != "*"
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import)


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name


def _used(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _joined(node: ast.AST) -> list[str]:
    """The texts of which an expression makes a path, in their order; none if it makes no path of texts."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and (last := _text(node.right)):
        return [*_joined(node.left), last]
    if not isinstance(node, ast.Call) or _called(node.func) not in MAKES_PATHS:
        return []
    texts = [_text(argument) for argument in node.args]
    return texts if all(texts) else []


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
