"""What mlinter, Transformers' linter for model files, finds in a file; it runs in a process of its own."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.version import InvalidVersion, Version

from porting import strictjson
from porting.checkout import Checkout
from porting.children import ChildError, run_child
from porting.errors import PortingError
from porting.text import show

SECONDS = 120.0
PACKAGE = "transformers-mlinter"
INSTALL = f"pip install {PACKAGE}"
RULES = Path("utils", "mlinter", "rules.toml")
"""Where a checkout that brings a linter of its own lists its rules."""


class LinterError(PortingError):
    """mlinter could not be run, or said something that cannot be read."""

    code = "mlinter"


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding.

    Attributes:
        rule: as ``TRF012``.
        line: in the file.
        message: what is wrong.
    """

    rule: str
    line: int
    message: str


def is_installed() -> bool:
    """Whether mlinter can be run by this interpreter."""
    return importlib.util.find_spec("mlinter") is not None


def rules_of(checkout: Checkout, name: str) -> frozenset[str] | None:
    """The rules that a checkout itself holds a model to, where it brings its own linter; None if it lists none.

    Args:
        checkout: that may have `RULES`.
        name: of the model's folder, which may be excepted from some.
    """
    try:
        rules = tomllib.loads((checkout.root / RULES).read_text(encoding="utf-8"))["rules"]
        held = frozenset(
            rule
            for rule, each in rules.items()
            if each.get("default_enabled", True) and name not in each.get("allowlist_models", ())
        )
        return held if rules else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def newer_than() -> str | None:
    """The version of mlinter that the installed Transformers is linted with, if the one that is installed is newer."""
    from transformers.dependency_versions_table import deps

    pinned = deps.get(PACKAGE, "").partition("==")[2]
    try:
        return pinned if pinned and Version(version(PACKAGE)) > Version(pinned) else None
    except (InvalidVersion, PackageNotFoundError):
        return None


def lint(paths: list[Path]) -> list[Lint]:
    """Run mlinter on files.

    Raises:
        LinterError: it ended otherwise than it says, or its findings cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="porting-") as folder:
        found = Path(folder) / "findings.json"
        command = [sys.executable, "-P", "-m", "mlinter", "--no-progress", "--no-cache", "--output-json", str(found)]
        try:
            ended = run_child([*command, "--", *map(str, paths)], Path.cwd(), seconds=SECONDS)
        except ChildError as error:
            raise LinterError(f"mlinter could not be run: {error.message}") from error
        if ended.code not in (0, 1) or not found.is_file():
            raise LinterError(f"mlinter ended with {ended.code}: {ended.last_line}")
        return _read(found)


def _read(path: Path) -> list[Lint]:
    try:
        document = strictjson.loads(path.read_bytes())
        return [
            Lint(str(each["rule"]), int(each["line"]), str(each["message"]).removeprefix(f"{each['rule']}: "))
            for each in document["findings"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise LinterError(f"mlinter's findings cannot be read: {show(error, 200)}") from error
