"""How evidence names a file, so that the name holds when the folder is moved or cloned.

``file converted/model.safetensors`` is from the portfile's folder, or ``~/`` from the user's, and ``package
transformers/models/bert/modeling_bert.py`` is where Python finds the package.
"""

from __future__ import annotations

import importlib.util
import os
import posixpath
import sys
from pathlib import Path

from porting.evidence.code import INSTALLED
from porting.evidence.reading import is_of_system

FARTHEST = 3
"""Folders up from the portfile's to the one that both lie in."""
FILE = "file"
OUTSIDE = ("/", "..")
"""How the name of a file in a package does not begin."""


def subject_of(path: Path, folder: Path) -> str:
    """The subject that a file is for a portfile in a folder."""
    parts = path.parts
    installed = max((number for number, part in enumerate(parts) if part in INSTALLED), default=None)
    if installed is not None and str(Path(*parts[: installed + 1])) in sys.path:
        return f"package {'/'.join(parts[installed + 1 :])}"
    if not path.is_relative_to(folder) and (rest := _in_transformers(path)):
        return f"package {rest}"
    relative = Path(os.path.relpath(path, folder))
    if relative.parts.count("..") <= FARTHEST:
        return f"file {relative.as_posix()}"
    home = _home()
    return f"file ~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else f"file {path.as_posix()}"


def path_of(subject: str, folder: Path) -> Path | None:
    """Where the file of a subject would be today; None if no package has it, or `subject_of` names nothing so."""
    kind, _, name = subject.partition(" ")
    if not _is_plain(name.removeprefix("~/")):
        return None
    if kind == FILE:
        path = _home() / name[2:] if name.startswith("~/") else folder / name
        return None if is_of_system(os.path.normpath(path)) else path
    return None if name.startswith(OUTSIDE) else _in_package(name)


def _is_plain(name: str) -> bool:
    """Whether a name is the only one that a file has from a folder."""
    return name == posixpath.normpath(name) and not name.startswith("//") and "\0" not in name


def _in_package(name: str) -> Path | None:
    top, _, rest = name.partition("/")
    places = [Path(entry) for entry in sys.path]
    installed = next((place / name for place in places if (place / name).exists()), None)
    return installed or _found(top, rest)


def place_of(subject: str, folder: Path) -> Path | None:
    """Where a folder, or some of the files in one (``file converted/*.json``), would be today; None as `path_of`."""
    above, _, last = subject.rpartition("/")
    if not above or "*" not in last:
        return path_of(subject, folder)
    found = path_of(above, folder)
    return None if found is None else found / last


def _found(top: str, rest: str) -> Path | None:
    """A file in a package that is imported from elsewhere than ``sys.path`` says, as a checkout may be."""
    try:
        spec = importlib.util.find_spec(top) if top.isidentifier() else None  # or parents would be imported
    except (ImportError, ValueError):
        return None
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    return next((Path(place) / rest for place in places if (Path(place) / rest).exists()), None)


def _in_transformers(path: Path) -> str | None:
    """The name of a file in the package ``transformers``, wherever that is imported from."""
    try:
        spec = importlib.util.find_spec("transformers")
    except (ImportError, ValueError):
        return None
    for place in [] if spec is None else spec.submodule_search_locations or ():
        if path.is_relative_to(place):
            return f"transformers/{path.relative_to(place).as_posix()}"
    return None


def _home() -> Path:
    """The user's folder; ``~`` itself where nobody knows it."""
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises for a user without a name
