"""Which source files something is made of: the classes of a model, and what their files import."""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

MODELS = "transformers.models."
INSTALLED = ("site-packages", "dist-packages")
BY_VERSION = ("torch", "transformers", "tokenizers", "numpy", "porting")
"""Packages that are known by their version; but a model of Transformers has its own files."""
MOST = 500


def code_of(made: Any) -> tuple[set[Path], set[str]]:
    """The source files that something is made of, and the installed packages that its classes are from.

    Args:
        made: a model (the classes of all its modules), a class, or any other thing (its class, and those of the
            parts that it holds).
    """
    classes = {base for kind in _classes(made) for base in kind.__mro__}
    found, packages = set(), set()
    for name in {kind.__module__ for kind in classes}:
        top = name.partition(".")[0]
        path = _file(sys.modules.get(name))
        if path is None or top in sys.stdlib_module_names:
            continue
        if name.startswith(MODELS) or top not in BY_VERSION:
            found.add(name)
        if _is_installed(path):
            packages.add(top)
    return files_of(found), packages - {"porting"}


def files_of(names: Iterable[str]) -> set[Path]:
    """The files of loaded modules, and of the local modules that they import; a package's own file is not followed."""
    left, seen, files = list(names), set(), set[Path]()
    while left and len(files) < MOST:
        if (name := left.pop()) in seen:
            continue
        seen.add(name)
        module = sys.modules.get(name)
        path = _file(module)
        if module is None or path is None:
            continue
        files.add(path)
        if path.name != "__init__.py":
            left += sorted(each for each in _imported(path, module) if _belongs(each, name))
    return files


def imported_by(nodes: Iterable[ast.Import | ast.ImportFrom], package: str = "") -> set[str]:
    """The loaded modules that statements import, or take names from."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
            continue
        base = _base(node, package)
        held = getattr(sys.modules.get(base), "__dict__", {})
        found.add(base)
        for alias in node.names:
            found.add(f"{base}.{alias.name}")
            home = getattr(held.get(alias.name), "__module__", None)
            found |= {home} if isinstance(home, str) else set()
    return {name for name in found if name in sys.modules}


def installed_of(names: Iterable[str]) -> set[str]:
    """The installed packages that loaded modules are from; those of `BY_VERSION` show in what is made with them."""
    found = set()
    for name in names:
        top, path = name.partition(".")[0], _file(sys.modules.get(name))
        if path is not None and _is_installed(path) and top not in BY_VERSION:
            found.add(top)
    return found


def is_local(name: str) -> bool:
    """Whether a loaded module is neither installed nor of Python's own."""
    path = _file(sys.modules.get(name))
    top = name.partition(".")[0]
    if path is None or top in BY_VERSION or top in sys.stdlib_module_names or _is_installed(path):
        return False
    return not path.is_relative_to(sysconfig.get_paths()["stdlib"])


def _belongs(name: str, importer: str) -> bool:
    """Whether the code of a module counts as that of one that imports it: local, or of the same model."""
    if importer.startswith(MODELS):
        return name.startswith(importer.rpartition(".")[0] + ".")
    return is_local(name) and is_local(importer)


def _classes(made: Any) -> Iterator[type]:
    torch = sys.modules.get("torch")
    if isinstance(made, type):
        yield made
    elif torch is not None and isinstance(made, torch.nn.Module):
        yield from {type(module) for module in made.modules()}
        yield type(getattr(made, "config", None))
    else:
        yield type(made)
        yield from (type(part) for part in list(getattr(made, "__dict__", {}).values()))


def _imported(path: Path, module: ModuleType) -> set[str]:
    return imported_by(_imports_in(path), module.__package__ or "")


@lru_cache(maxsize=4096)
def _parsed(path: Path, _mtime_ns: int) -> tuple[ast.Import | ast.ImportFrom, ...]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def _imports_in(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    return _parsed(path, path.stat().st_mtime_ns)


def _base(node: ast.ImportFrom, package: str) -> str:
    """The module that names are taken from."""
    if not node.level:
        return node.module or ""
    try:
        return importlib.util.resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:
        return ""


def _file(module: ModuleType | None) -> Path | None:
    """The Python file of a module; None if it has none."""
    found = getattr(module, "__file__", None)
    path = Path(found) if isinstance(found, str) else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _is_installed(path: Path) -> bool:
    return not set(INSTALLED).isdisjoint(path.parts)
