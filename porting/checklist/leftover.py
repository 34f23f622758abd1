"""Files of the working folder in which parts are left to a person, and the step that each belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porting.checklist.placing import step_of_file, step_of_part
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


def find_parts(portfile: Path, named: Iterable[Path] = ()) -> tuple[FileParts, ...]:
    """The files with parts left to a person: the portfile, those in its folder, and those that are named.

    Args:
        portfile: of the port; checkouts, environments and traces beside it are not looked into.
        named: files that lie elsewhere, as tests in a checkout of Transformers.
    """
    folder = portfile.parent
    files = {path.resolve(): path for path in (*_written(folder), *named)}
    files[portfile.resolve()] = portfile
    found = [each for path in files.values() for each in _parts_of(path, folder, portfile)]
    return tuple(sorted(found, key=lambda each: (each.step, each.path)))


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


def _parts_of(path: Path, folder: Path, portfile: Path) -> Iterator[FileParts]:
    """The parts of a file, by their steps."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    shown = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
    by_step: dict[int, list[Part]] = {}
    for part in parts_left(text):
        step = step_of_part(part, text) if path == portfile else step_of_file(path.name)
        by_step.setdefault(step, []).append(part)
    yield from (FileParts(shown, step, tuple(parts)) for step, parts in by_step.items())
