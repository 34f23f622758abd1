"""What ruff finds in files, with the settings of Transformers."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from porting import strictjson
from porting.children import Ended, run_child
from porting.errors import PortingError

SECONDS = 120.0
INSTALL = "pip install ruff"
SETTINGS = "transformers-ruff.toml"
UNFORMATTED = "format"
"""The rule of a file that ruff would lay out otherwise."""
LASTING = re.compile(r"[EFWI]\d+|(?:invalid-)?syntax")
"""Rules that are in every version of ruff; others come, and the layout changes a little from year to year."""


class RuffError(PortingError):
    """Ruff could not be run, or said something that cannot be read."""

    code = "ruff"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that ruff objects to.

    Attributes:
        path: of the file.
        line: in it; 0 for the whole of it.
        rule: as ``F401``; `UNFORMATTED`.
        message: what is wrong.
    """

    path: Path
    line: int
    rule: str
    message: str

    @property
    def is_lasting(self) -> bool:
        """Whether every version of ruff objects to it."""
        return LASTING.fullmatch(self.rule) is not None


def find_ruff() -> tuple[str, ...] | None:
    """How ruff is started: that of this interpreter, else one on the search path; None if there is none."""
    if importlib.util.find_spec("ruff") is not None:
        return (sys.executable, "-P", "-m", "ruff")
    found = shutil.which("ruff", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    return None if found is None else (found,)


def find_with_ruff(ruff: Sequence[str], paths: Sequence[Path], root: Path, own: Path | None = None) -> list[Finding]:
    """Run ruff's linter and its formatter on files, which are left as they are.

    Args:
        ruff: how it is started.
        paths: the files.
        root: the folder that they lie in.
        own: a file of settings; Transformers' are taken where there is none, or it has none for ruff.

    Raises:
        RuffError: it could not be run, or its answer cannot be read.
    """
    with as_file(files("porting.templates") / SETTINGS) as shipped:
        config = ("--config", str(own if own is not None and _has_settings(own) else shipped))
        common = ("--no-cache", "--no-force-exclude", *config)
        command = (*ruff, "check", "--no-fix", "--output-format", "json", *common, "--", *map(str, paths))
        found = [*_read(run_child(command, root, seconds=SECONDS))]
        for path in paths:
            ended = run_child((*ruff, "format", "--check", *common, "--", str(path)), root, seconds=SECONDS)
            if ended.code == 1:
                found.append(Finding(path, 0, UNFORMATTED, "ruff format would lay it out otherwise"))
    return found


def lay_out_with_ruff(ruff: Sequence[str], paths: Sequence[Path], root: Path) -> None:
    """Mend files and lay them out, in place, with the settings of the folder that they lie in."""
    for how in (("check", "--fix"), ("format",)):
        run_child((*ruff, *how, "--quiet", "--no-cache", "--", *map(str, paths)), root, seconds=SECONDS)


def version_of(ruff: Sequence[str]) -> str:
    """The version of ruff."""
    return run_child((*ruff, "--version"), Path.cwd(), seconds=SECONDS).output.strip().rpartition(" ")[2]


def pinned_version() -> str | None:
    """The version of ruff with which the installed Transformers is linted; None if it does not say."""
    from transformers.dependency_versions_table import deps

    return deps.get("ruff", "").partition("==")[2] or None


def _has_settings(path: Path) -> bool:
    try:
        return "ruff" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False


def _read(ended: Ended) -> Iterator[Finding]:
    if ended.code not in (0, 1):
        raise RuffError(f"ruff could not be run: {ended.last_line}", hint=INSTALL)
    try:
        for each in strictjson.loads(ended.output.encode()):
            place = each.get("location") or {"row": 0}
            rule = str(each["code"] or "syntax")
            yield Finding(Path(str(each["filename"])), int(place["row"]), rule, str(each["message"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RuffError(f"the findings of ruff cannot be read: {ended.last_line}") from error
