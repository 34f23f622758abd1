"""The files in which a port is written."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from porting.errors import PortingError
from porting.text import show

KINDS = ("modeling", "configuration", "modular")
"""What the files of a model are called, before its name."""


@dataclass(frozen=True)
class Source:
    """One file.

    Attributes:
        path: of it.
        text: in it.
    """

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Source:
        """A file as it is on disk; bytes that are no UTF-8 are replaced."""
        return cls(path, path.read_text(encoding="utf-8", errors="replace"))

    @cached_property
    def tree(self) -> ast.Module:
        """It, parsed.

        Raises:
            PortingError: it is not Python.
        """
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError) as error:
            raise PortingError(f"{show(self.path.name)} cannot be parsed: {show(error, 200)}") from error

    @property
    def is_generated(self) -> bool:
        """Whether it was made from a modular file."""
        return "This file was automatically generated from" in self.text[:1000]

    def at(self, line: int) -> str:
        """A place in it, to be shown."""
        return f"{show(self.path.name)}:{line}"


def modeling_file(kind: type) -> Path | None:
    """The ``modeling_*.py`` in which a class is written; None if it is written elsewhere."""
    try:
        found = inspect.getsourcefile(kind)
    except (TypeError, OSError):
        return None
    path = None if found is None else Path(found)
    return path if path is not None and path.name.startswith("modeling_") and path.is_file() else None


def files_of(modeling: Path) -> list[Source]:
    """A modeling file, and the files of the same model beside it: its configuration, and what it is made from."""
    name = modeling.stem.removeprefix("modeling_")
    paths = [modeling.with_name(f"{kind}_{name}.py") for kind in KINDS]
    return [Source.read(path) for path in paths if path.is_file()]


def classes_in(paths: Iterable[Path]) -> list[str]:
    """The names of the classes that files define; a file that cannot be read or parsed has none."""
    return [node.name for path in paths for node in _statements(path) if isinstance(node, ast.ClassDef)]


def is_shipped(path: Path) -> bool:
    """Whether a file came with the installed Transformers, whose own checks it passed."""
    try:
        files = distribution("transformers").files or []
    except PackageNotFoundError:
        return False
    near = [each for each in files if each.name == path.name]
    return any(Path(str(each.locate())).resolve() == path.resolve() for each in near)


def _statements(path: Path) -> list[ast.stmt]:
    try:
        return ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
