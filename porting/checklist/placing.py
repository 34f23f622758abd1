"""The step that a file, or a place in the portfile, belongs to."""

from __future__ import annotations

import ast
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from porting.parts import Part

FILES = (
    ("convert_*.py", 6),
    ("*conversion_mapping*.py", 6),
    ("test_tokenization_*.py", 9),
    ("test_process*.py", 9),
    ("test_image_processing*.py", 9),
    ("test_feature_extraction*.py", 9),
    ("test_*.py", 8),
    ("reproduce_*.py", 8),
    ("README.md", 12),
    ("*card*.md", 12),
    ("*.ipynb", 13),
    ("pull*request*.md", 14),
    ("*.md", 11),
)
"""Steps by the names that Transformers and porting give to files; the first that fits."""
OTHERWISE = 5
FUNCTIONS: Mapping[int, tuple[str, ...]] = {
    4: ("original", "inputs", "original_inputs", "run_original"),
    5: ("config", "ported_class"),
    6: ("checkpoint", "rules"),
    7: ("ported", "ported_inputs", "run_ported", "outputs", "valid_positions"),
    9: (
        "original_tokenize",
        "original_decode",
        "original_prompt",
        "original_preprocess",
        "ported_tokenizer",
        "ported_processor",
        "tokenizer_corpus",
        "conversations",
        "samples",
    ),
    10: ("original_generate",),
}
"""Functions of the portfile by the step that needs them first."""
CONSTANTS: Mapping[int, tuple[str, ...]] = {3: ("ORIGINAL_PYTHON",), 12: ("HUB_ID", "REVISION")}
PORTFILE = 4
"""The step of what else is in the portfile."""


def step_of_file(name: str) -> int:
    """The step that a file belongs to, by its name."""
    return next((step for pattern, step in FILES if fnmatchcase(name, pattern)), OTHERWISE)


def step_of_part(part: Part, source: str) -> int:
    """The step that a part of the portfile belongs to: by the function that it is in, or the constant that it names.

    Args:
        part: of the portfile.
        source: of all of it.
    """
    within = _function_at(part.line, source)
    steps = (step for step, names in FUNCTIONS.items() if within in names)
    named = (step for step, names in CONSTANTS.items() if any(name in part.what for name in names))
    return next(steps, None) or next(named, None) or PORTFILE


def _function_at(line: int, source: str) -> str | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return next((node.name for node in functions if node.lineno <= line <= (node.end_lineno or line)), None)
