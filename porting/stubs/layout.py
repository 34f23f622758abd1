"""Where generated tests go: the tree of a Transformers checkout, or one file of its own."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path

from porting.errors import OutputError
from porting.stubs.files import refuse_foreign
from porting.stubs.literals import snake
from porting.text import show

MARKER = "# Written by `porting tests`, which may replace it; the expected values are the original model's."
"""The line by which a file is known to be generated, and may be replaced."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one model under a root.

    Attributes:
        root: a checkout of Transformers, or any folder.
        name: of the model, as part of a file's name.
    """

    root: Path
    name: str

    @classmethod
    def of(cls, model_name: str, root: str | os.PathLike[str]) -> Tree:
        """The tree of a model of any name.

        Raises:
            GenerationError: the name has no ASCII letter to begin with.
            OutputError: the root is named as a file.
        """
        if Path(root).suffix == ".py":
            raise OutputError(
                f"tests are a tree of files under a folder, and {show(root)} is a file",
                hint="name a folder with --output, or write one file with --standalone",
            )
        return cls(Path(root).absolute(), snake(model_name))

    @property
    def fixtures(self) -> Path:
        """The folder of long values."""
        return self.root / "tests" / "fixtures" / self.name

    def test(self, kind: str) -> Path:
        """A test file: of ``modeling``, ``tokenization`` and so on."""
        return self.root / "tests" / "models" / self.name / f"test_{kind}_{self.name}.py"

    def modeling(self) -> tuple[Path, bool]:
        """The file of the integration class, and whether it is one of its own, beside a model test made by hand."""
        path = self.test("modeling")
        apart = has_model_test(path)
        return (path.with_name(f"test_modeling_{self.name}_integration.py") if apart else path), apart

    def packages(self) -> list[Path]:
        """The empty files that make packages of those folders that are not there yet."""
        folder = self.test("modeling").parent
        return [
            each / "__init__.py"
            for each in (folder.parent.parent, folder.parent, folder)
            if not each.exists() or (each == folder and not (each / "__init__.py").exists())
        ]


def standalone_path(model_name: str, output: str | os.PathLike[str]) -> Path:
    """The one file of a test that stands alone: ``output`` itself if it ends in ``.py``, else a file in that folder.

    Raises:
        GenerationError: the name has no ASCII letter to begin with.
    """
    path = Path(output).absolute()
    return path if path.suffix == ".py" else path / f"test_{snake(model_name)}_standalone.py"


def require_own(path: Path, *, force: bool) -> None:
    """Refuse to replace a file that was not generated.

    Raises:
        OutputError: that is so, and it is not forced, or is no file.
    """
    if not (force and path.is_file()):
        hint = "name another place with --output, or replace it with --force"
        refuse_foreign(path, MARKER, command="porting tests", hint=hint)


def is_generated(path: Path) -> bool:
    """Whether a file is one that ``porting tests`` wrote."""
    try:
        return MARKER.encode() in path.read_bytes().splitlines()
    except OSError:
        return False


def has_model_test(path: Path) -> bool:
    """Whether a file that was not generated has the common tests of a model."""
    try:
        content = path.read_bytes()
        tree = ast.parse(content)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    if is_generated(path):
        return False
    return any(isinstance(node, ast.ClassDef) and node.name.endswith("ModelTest") for node in tree.body)
