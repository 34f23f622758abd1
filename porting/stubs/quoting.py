"""The original's code as the portfile has it, to be quoted."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection

from porting.portfile import Portfile

QUOTED = ("inputs", "original_inputs", "original", "run_original", "original_generate")
MOST_LINES = 80


def quoted(portfile: Portfile, functions: Collection[str] = QUOTED) -> str:
    """The functions of the portfile that make, feed and run the original, or other ones; empty where they are not in
    its file as it was run, or are long.
    """
    try:
        content = portfile.path.read_bytes()
    except OSError:
        return ""
    if hashlib.sha256(content).hexdigest() != portfile.sha256:
        return ""
    text = content.decode("utf-8", "replace")
    nodes = (node for node in ast.parse(content).body if isinstance(node, ast.FunctionDef) and node.name in functions)
    found = "\n\n".join(ast.get_source_segment(text, node) or "" for node in nodes)
    return found if found.count("\n") < MOST_LINES else ""
