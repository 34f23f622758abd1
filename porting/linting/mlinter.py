"""What mlinter, Transformers' linter for model files, finds in a file; it runs in a process of its own."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from porting import strictjson
from porting.children import ChildError, run_child
from porting.errors import PortingError
from porting.text import show

SECONDS = 120.0
INSTALL = "pip install transformers-mlinter"


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
