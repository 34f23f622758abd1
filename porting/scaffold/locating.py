"""Where the original's code is: an installed package, a repository's folder, or a file; found, and not imported."""

from __future__ import annotations

import importlib.machinery
import keyword
import sys
from dataclasses import dataclass
from pathlib import Path

from porting import strictjson
from porting.children import ChildError, run_child
from porting.errors import PortingError
from porting.plainfiles import files_below
from porting.scaffold.reading import LARGEST
from porting.text import show

MOST_FILES, MOST_LOOKED_AT = 3000, 100_000
"""Files of Python that are read, and files of any kind among which they are looked for."""
ASIDE = frozenset({"test", "tests", "docs", "build", "dist", "node_modules", "site-packages", "__pycache__", "venv"})
PATIENCE = 60


class OriginalError(PortingError):
    """The original's code cannot be found."""

    code = "original"


@dataclass(frozen=True, slots=True)
class Location:
    """Code of an original.

    Attributes:
        given: as the user named it, without the class.
        path: the folder that has to be on the search path of modules; None for an installed package.
        files: of Python, by the name of the module.
        wanted: the class that the user named, if any.
    """

    given: str
    path: Path | None
    files: dict[str, Path]
    wanted: str | None = None


def locate(original: str, python: str | None = None) -> Location:
    """Find the code that ``PATH_OR_PACKAGE`` means; ``:Name`` behind it names a class of it.

    Args:
        original: a folder, a ``.py`` file, or the name of a package or module that can be imported.
        python: the interpreter that has the package; None for this one.

    Raises:
        OriginalError: there is nothing of this name, or no Python in it.
    """
    given, wanted = original, None
    head, colon, tail = original.rpartition(":")
    if colon and tail.isidentifier() and not Path(original).exists():
        given, wanted = head, tail
    path = Path(given).expanduser()
    if path.exists():
        return _of_path(given, path.absolute(), wanted)
    if not all(part.isidentifier() for part in given.split(".")):
        raise OriginalError(
            f"there is no file or folder {show(given)}",
            hint="name the folder of the original's repository, a .py file, or an installed package",
        )
    return _of_package(given, wanted, python)


def _of_path(given: str, path: Path, wanted: str | None) -> Location:
    if path.is_file():
        if path.suffix != ".py" or not _is_name(path.stem):
            raise OriginalError(f"{show(given)} is not a module of Python", hint="name a .py file or a folder")
        top = _top_of(path.parent)
        return Location(given, top, {".".join(path.relative_to(top).with_suffix("").parts): path}, wanted)
    if (path / "__init__.py").is_file():
        top = _top_of(path)
        return _checked(Location(given, top, _modules(path, top), wanted))
    top = path / "src" if (path / "src").is_dir() and any((path / "src").glob("*/__init__.py")) else path
    return _checked(Location(given, top, _modules(top, top), wanted))


def _top_of(folder: Path) -> Path:
    """The folder that holds the outermost package of a folder."""
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _of_package(name: str, wanted: str | None, python: str | None) -> Location:
    """An installed package, found without running anything of it."""
    head, *rest = name.split(".")
    places = sys.path if python is None else _search_path(python)
    spec = importlib.machinery.PathFinder.find_spec(head, [place for place in places if place])
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        raise OriginalError(
            f"there is no package {show(head)} in {show(python or 'this environment')}, and no folder of that name",
            hint="install it, name the folder of its repository, or the interpreter that has it with --python",
        )
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    if not folders:
        file = Path(str(spec.origin))
        return Location(name, None, {head: file} if file.suffix == ".py" else {}, wanted)
    place = folders[0].joinpath(*rest)
    if place.with_suffix(".py").is_file() and not place.is_dir():
        return Location(name, None, {name: place.with_suffix(".py")}, wanted)
    return _checked(Location(name, None, _modules(place, folders[0].parent), wanted))


def _search_path(python: str) -> list[str]:
    command = [python, "-c", "import sys, json; print(json.dumps(sys.path))"]
    try:
        ended = run_child(command, Path("/"), seconds=PATIENCE)
        found = strictjson.loads(ended.output.encode()) if ended.code == 0 else None
    except (ChildError, ValueError) as error:
        found, reason = None, show(error, 300)
    else:
        reason = ended.last_line
    if not isinstance(found, list):
        raise OriginalError(
            f"the interpreter {show(python)} cannot be asked for its packages: {reason}",
            hint="name the python of the original's environment with --python",
        )
    return [str(place) for place in found if place]


def _modules(folder: Path, top: Path) -> dict[str, Path]:
    """The modules below a folder by name; what lies aside, or cannot be a module, is left out."""
    found: dict[str, Path] = {}
    for path in files_below(folder, MOST_LOOKED_AT):
        parts = path.relative_to(top).with_suffix("").parts
        aside = any(part in ASIDE or part.startswith((".", "test_")) for part in path.relative_to(folder).parts)
        if aside or path.suffix != ".py" or not all(map(_is_name, parts)) or not _is_code(path):
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        if len(found) >= MOST_FILES:
            break
    return found


def _is_name(part: str) -> bool:
    return part.isidentifier() and not keyword.iskeyword(part)


def _is_code(path: Path) -> bool:
    """Whether there is a file, and of a size that code has; a link may lead nowhere, or to a pipe."""
    try:
        return path.is_file() and path.stat().st_size <= LARGEST
    except OSError:
        return False


def _checked(location: Location) -> Location:
    if not location.files:
        raise OriginalError(
            f"{show(location.given)} holds no module of Python",
            hint="name the folder of the original's code, a .py file, or an installed package",
        )
    return location
