"""Run a notebook from top to bottom in a process of its own: its code cells, one after another."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porting import strictjson
from porting.children import run_child
from porting.errors import PortingError
from porting.text import show

INSTALL = "pip install nbclient nbformat ipykernel"
LEFT_OUT = re.compile(r"^[ \t]*[%!](?:pip|matplotlib|load_ext|autoreload|config)\b.*$", re.MULTILINE)
"""Lines for the notebook's surroundings, which a plain run does without."""
MAGIC = re.compile(r"^[ \t]*(?:%|!)|^[ \t]*[\w.]+\?\??[ \t]*$|^[ \t]*\w+ *= *[!%]", re.MULTILINE)
"""Lines that only IPython understands."""
PLAIN = """
import builtins, json, sys
cells = json.load(open(sys.argv[1], encoding="utf-8"))
builtins.display = print
names = {"__name__": "__main__"}
for number, source in cells:
    answer = {"cell": number, "problem": ""}
    json.dump(answer, open(sys.argv[2], "w"))
    try:
        exec(compile(source, f"cell {number}", "exec"), names)
    except Exception as error:
        answer["problem"] = f"{type(error).__name__}: {error}"[:1000]
        json.dump(answer, open(sys.argv[2], "w"))
        sys.exit(1)
"""
IPYTHON = """
import sys, nbformat
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[3], as_version=4), timeout=None, kernel_name="python3").execute()
"""


class NotebookError(PortingError):
    """A file is no notebook that can be run here."""

    code = "notebook"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a notebook ended.

    Attributes:
        cells: of code that it has.
        problem: what went wrong, the cell first; empty if it ran to its end.
    """

    cells: int
    problem: str


def needs_ipython(path: Path) -> bool:
    """Whether a notebook has lines that only IPython understands, beside those that a plain run does without.

    Raises:
        NotebookError: it cannot be read, or is not in Python.
    """
    return any(MAGIC.search(source) and not _is_python(source) for _, source in _cells(path))


def has_ipython() -> bool:
    """Whether notebooks can be run by IPython here."""
    return all(importlib.util.find_spec(name) is not None for name in ("nbclient", "nbformat", "ipykernel"))


def run_notebook(path: Path, *, seconds: float, standing_for: Mapping[str, str] | None = None) -> Ran:
    """Run a notebook in its folder, without the Hub; nothing is written into it.

    Args:
        path: of the notebook.
        seconds: for the whole of it.
        standing_for: texts in quotes in its code, each with the one that it is run with.

    Raises:
        NotebookError: it cannot be read, or is not in Python.
    """
    cells = [(number, _with(source, standing_for or {})) for number, source in _cells(path)]
    environment = {"HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg", "PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="porting-") as folder:
        given, answer = Path(folder, "cells.json"), Path(folder, "answer.json")
        given.write_text(json.dumps(cells), encoding="utf-8")
        script = IPYTHON if needs_ipython(path) else PLAIN
        command = (sys.executable, "-c", script, str(given), str(answer), str(path))
        ended = run_child(command, path.parent, seconds=seconds, environment=environment)
        if ended.code == 0:
            return Ran(len(cells), "")
        said = _answer(answer)
    where = f"cell {said['cell']}: " if said else ""
    what = show(said.get("problem") or "", 500)
    if ended.code is None:
        what = f"it did not end within {seconds:.0f} seconds"
    return Ran(len(cells), f"{where}{what or ended.last_line}")


def _cells(path: Path) -> list[tuple[int, str]]:
    """The number, from 1 among all cells, and the text of each cell of code."""
    try:
        document = strictjson.loads(path.read_bytes())
        language = document.get("metadata", {}).get("kernelspec", {}).get("language", "python")
        found = [(number, each) for number, each in enumerate(document["cells"], 1) if each["cell_type"] == "code"]
        cells = [(number, _source(each)) for number, each in found]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookError(f"{show(path.name)} cannot be read as a notebook: {show(error, 200)}") from error
    if language != "python":
        raise NotebookError(f"{show(path.name)} is written in {show(language)}, and not in Python")
    return cells


def _with(source: str, standing_for: Mapping[str, str]) -> str:
    for text, other in standing_for.items():
        for quote in "\"'":
            source = source.replace(f"{quote}{text}{quote}", repr(other))
    return source


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    return text if _is_python(text) else LEFT_OUT.sub("", text)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _answer(path: Path) -> dict[str, Any]:
    """What the run said last; nothing, if it said nothing that can be read."""
    try:
        said = strictjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("cell"), int) else {}
