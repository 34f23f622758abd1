"""Files of the working folder in which parts are left to a person, and the step that each belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from porting.parts import Part, parts_left

SUFFIXES = (".py", ".md", ".ipynb")
LARGEST = 1 << 20
"""Bytes of a file that is looked into; what is written by hand is smaller."""
DEEPEST = 4
"""Folders below the working folder."""
MOST = 2000
"""Files that are looked into."""
ELSEWHERE = ("traces", "node_modules", "site-packages", "__pycache__", "build", "dist")
"""Folders in which nobody writes by hand; so are hidden ones, and those of virtual environments."""
STEPS = (
    ("portfile*.py", 4),
    ("convert_*.py", 6),
    ("*conversion_mapping*.py", 6),
    ("test_tokenization_*.py", 9),
    ("test_process*.py", 9),
    ("test_image_processing*.py", 9),
    ("test_feature_extraction*.py", 9),
    ("test_*.py", 8),
    ("reproduce_*.py", 8),
    ("configuration_*.py", 5),
    ("modeling_*.py", 5),
    ("modular_*.py", 5),
    ("README.md", 12),
    ("*card*.md", 12),
    ("*.ipynb", 13),
    ("pull*request*.md", 14),
    ("*.md", 11),
)
"""Steps by the names that Transformers gives to files; the first that fits."""
OTHERWISE = 5


@dataclass(frozen=True, slots=True)
class FileParts:
    """A file with parts that are left to a person.

    Attributes:
        path: from the working folder where it lies in it.
        step: of the recipe.
        parts: in their order, at least one.
    """

    path: str
    step: int
    parts: tuple[Part, ...]

    def to_list(self) -> list[dict[str, Any]]:
        """The parts as JSON."""
        return [{"file": self.path, "line": part.line, "what": part.what} for part in self.parts]


def find_parts(folder: Path, named: Iterable[Path] = ()) -> tuple[FileParts, ...]:
    """The files with parts left to a person: those in a folder, and those that are named.

    Args:
        folder: the working folder; its checkouts, environments and traces are not looked into.
        named: files that lie elsewhere, as tests in a checkout of Transformers.
    """
    files = {path.resolve(): path for path in (*_written(folder), *named)}
    found = (_parts_of(path, folder) for path in files.values())
    return tuple(sorted((each for each in found if each), key=lambda each: (each.step, each.path)))


def step_of(name: str) -> int:
    """The step that a file belongs to, by its name."""
    return next((step for pattern, step in STEPS if fnmatchcase(name, pattern)), OTHERWISE)


def _written(folder: Path) -> Iterator[Path]:
    """The files of a folder that may be written by hand, no more than `MOST`."""
    count = 0
    for place, folders, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = [name for name in sorted(folders) if depth < DEEPEST and _is_own(Path(place, name))]
        for name in sorted(names):
            if name.endswith(SUFFIXES):
                count += 1
                if count > MOST:
                    return
                yield Path(place, name)


def _is_own(folder: Path) -> bool:
    """Whether the user writes in a folder; not in another repository, an environment or a record."""
    foreign = any((folder / name).exists() for name in (".git", "pyvenv.cfg", "setup.py", "pyproject.toml"))
    return not foreign and not folder.name.startswith(".") and folder.name not in ELSEWHERE


def _parts_of(path: Path, folder: Path) -> FileParts | None:
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        parts = parts_left(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    return FileParts(str(shown), step_of(path.name), parts) if parts else None
