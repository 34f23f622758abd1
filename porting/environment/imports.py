"""Whether the interpreter of the original imports what ``original()`` imports, and a framework."""

from __future__ import annotations

import ast
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from porting import strictjson
from porting.children import ChildError, run_child
from porting.environment.importing import found_after, run, shortened
from porting.errors import PortfileError
from porting.portfile import Portfile
from porting.text import show

SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Imported:
    """What an interpreter could import.

    Attributes:
        interpreter: its path.
        python: its version.
        frameworks: the versions of torch, JAX and TensorFlow that were imported, by name.
        problem: what was raised; empty if nothing was.
    """

    interpreter: str
    python: str
    frameworks: Mapping[str, str]
    problem: str


def import_original(portfile: Portfile) -> Imported:
    """Run ``original()`` until its last import: here, or in the interpreter of ``ORIGINAL_PYTHON``.

    Raises:
        PortfileError: the portfile cannot be read, or that interpreter cannot be run.
    """
    if portfile.original_python is None:
        interpreter, answer = sys.executable, found_after(lambda: _import_here(portfile))
    else:
        interpreter, answer = portfile.original_python, _import_there(portfile.original_python, portfile.path)
    try:
        frameworks = {str(name): str(version) for name, version in answer["frameworks"].items()}
        return Imported(interpreter, str(answer["python"]), frameworks, str(answer["problem"]))
    except (KeyError, AttributeError, TypeError) as error:
        raise PortfileError(f"the answer of {show(interpreter)} cannot be read: {show(error)}") from error


def _import_here(portfile: Portfile) -> None:
    """The shortened function with the names that its file has already."""
    tree = shortened(ast.parse(portfile.path.read_bytes()))
    own = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "original"]
    with portfile.running():
        if not own:
            portfile.functions["original"]()
            return
        own[-1].decorator_list = []
        run(ast.Module([own[-1]], []), dict(portfile.functions["original"].__globals__), str(portfile.path))


def _import_there(python: str, path: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="porting-") as folder:
        scratch = Path(folder)
        script, request, answer = (scratch / name for name in ("porting_importing.py", "request.json", "answer.json"))
        script.write_text((files("porting") / "environment/importing.py").read_text(encoding="utf-8"))
        request.write_text(json.dumps({"portfile": str(path)}), encoding="utf-8")
        try:
            ended = run_child(
                [python, os.fspath(script), os.fspath(request), os.fspath(answer)],
                scratch,
                seconds=SECONDS,
                environment={"PYTHONPATH": None, "PYTHONHOME": None},
            )
        except ChildError as error:
            raise PortfileError(
                f"ORIGINAL_PYTHON: {error.message}", hint="name the interpreter of the original's environment"
            ) from error
        if ended.code != 0 or not answer.is_file():
            raise PortfileError(f"ORIGINAL_PYTHON {show(python)} did not answer: {ended.last_line}")
        found: dict[str, Any] = strictjson.loads(answer.read_bytes())
        return found
