"""The version of a package as it is here, without importing it."""

from __future__ import annotations

import importlib.util
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SAID = re.compile(r"""^__version__\s*=\s*["']([^"'\n]{1,80})["']""", re.MULTILINE)
MOST_READ = 1 << 18


def version_of(package: str) -> str | None:
    """What the package says of itself, else what it was installed as; None if it is not here.

    A checkout says another version after an update than it was installed as, so that the code comes first. The answer
    is the same whether the package is loaded or not.
    """
    if package == "Python":
        return platform.python_version()
    if not package.isidentifier():  # the parents of a dotted name would be imported
        return None
    return _said(package) or _installed(package)


def _said(package: str) -> str | None:
    """What the package's own ``__init__.py`` says, read as text."""
    try:
        spec = importlib.util.find_spec(package)
        origin = None if spec is None else spec.origin
        text = "" if origin is None else Path(origin).read_bytes()[:MOST_READ].decode(errors="replace")
    except (ImportError, OSError, ValueError):
        return None
    found = SAID.search(text)
    return found[1] if found else None


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
