"""Run the imports of a portfile's ``original()``, in this interpreter or alone in another one.

This file is started by that interpreter (Python 3.7 or newer), with nothing but the standard library:

    python importing.py REQUEST.json ANSWER.json
"""

import ast
import importlib
import json
import os
import platform
import sys
from typing import Any, Dict

FRAMEWORKS = ("torch", "jax", "tensorflow")


def main() -> int:
    """Import what the request's portfile imports, and write what was found."""
    with open(sys.argv[1], encoding="utf-8") as file:
        path = json.load(file)["portfile"]
    sys.path.append(os.path.dirname(path))
    os.chdir(os.path.dirname(path))
    with open(path, "rb") as file:
        tree = ast.parse(file.read())
    answer = found_after(lambda: run(shortened(tree), {"__name__": "portfile", "__file__": path}, path))
    with open(sys.argv[2], "w", encoding="ascii") as file:
        json.dump(answer, file)
    return 0


def shortened(tree: ast.Module) -> ast.Module:
    """The file, its ``original()`` ending with its last import; one that imports nothing itself is left whole."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "original":
            importing = [number for number, each in enumerate(node.body) if imports(each)]
            node.body = node.body[: importing[-1] + 1] if importing else node.body
    return tree


def imports(node: ast.AST) -> bool:
    """Whether something is imported in a statement."""
    return any(isinstance(each, (ast.Import, ast.ImportFrom)) for each in ast.walk(node))


def run(tree: ast.Module, names: Dict[str, Any], path: str) -> None:
    """Run a file, and its ``original()``."""
    exec(compile(tree, path, "exec"), names)  # noqa: S102 - the user's own file, named by the user
    names["original"]()


def found_after(function: Any) -> Dict[str, Any]:
    """Versions of Python and of the frameworks once a function has run, and what it raised."""
    problem = ""
    try:
        function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        problem = "{}: {}".format(type(error).__name__, error)[:1000]
    return {"python": platform.python_version(), "frameworks": frameworks(), "problem": problem}


def frameworks() -> Dict[str, str]:
    """The version of each framework that was imported; where none was, of the first that can be."""
    loaded = [name for name in FRAMEWORKS if name in sys.modules]
    if loaded:
        return {name: version_of(name) for name in loaded}
    return next(({name: version} for name in FRAMEWORKS for version in [version_of(name)] if version), {})


def version_of(name: str) -> str:
    """The version of a package; empty if it cannot be imported."""
    try:
        return str(getattr(importlib.import_module(name), "__version__", "unknown"))[:100]
    except Exception:
        return ""


if __name__ == "__main__":
    sys.exit(main())
