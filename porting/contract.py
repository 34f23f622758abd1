"""The names that a portfile may define, and running a file that defines them."""

from __future__ import annotations

import contextlib
import difflib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from porting.errors import PortfileError
from porting.kinds import kind_of
from porting.text import show

FUNCTIONS = (
    "original", "ported", "inputs", "original_inputs", "ported_inputs", "run_original", "run_ported", "outputs",
    "valid_positions", "checkpoint", "rules", "config", "ported_class", "original_tokenize", "original_prompt",
    "original_preprocess", "original_generate", "ported_tokenizer", "ported_processor", "conversations", "samples",
    "original_decode", "tokenizer_corpus",
)  # fmt: skip
CONSTANTS: dict[str, type] = {
    "MODEL_NAME": str, "HUB_ID": str, "REVISION": str, "ORIGINAL_PYTHON": str, "ORIGINAL_TRACE": str,
    "MODULE_MAP": dict, "TOLERANCE": dict, "EXPECTED_FAILURES": dict,
}  # fmt: skip


def execute(path: Path) -> tuple[ModuleType, bytes]:
    """Run a portfile in its folder, with what it prints on stderr.

    Returns:
        What it defines, and the file as it was run.

    Raises:
        PortfileError: it is missing, or it raised; the message names the exception and the line.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise PortfileError(
            f"{show(path)} {what}", hint="name the portfile with --portfile, or see one with: porting demo"
        )
    name = "portfile" if path.stem == "portfile" else f"portfile_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[name] = module  # dataclasses and transformers look a class's module up there
    try:
        with contextlib.chdir(path.parent), contextlib.redirect_stdout(sys.stderr):
            content = path.read_bytes()
            # Not by import, which may run bytecode of an earlier edit that was made in the same second.
            exec(compile(content, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        sys.modules.pop(name, None)
        raise PortfileError(
            f"{show(path)} cannot be run: {type(error).__name__}: {show(error, 500)}{line_in(path, error)}",
            hint="imports belong inside the functions; --debug shows the whole traceback",
        ) from error
    return module, content


def check_kind(path: Path, name: str, value: Any) -> None:
    """Check that a name of the contract is a function, or a constant of its type.

    Raises:
        PortfileError: it is something else.
    """
    if name in FUNCTIONS:
        if not callable(value) or isinstance(value, type):
            raise PortfileError(f"{show(path)}: {name} must be a function, and is {kind_of(value)}")
    elif not isinstance(value, CONSTANTS[name]):
        raise PortfileError(f"{show(path)}: {name} must be a {CONSTANTS[name].__name__}, and is {kind_of(value)}")
    if name in ("MODULE_MAP", "EXPECTED_FAILURES") and not all(
        isinstance(text, str) for item in value.items() for text in item
    ):
        raise PortfileError(f"{show(path)}: {name} must map text to text")


def near_misses(module: ModuleType, known: set[str]) -> Iterator[str]:
    """Yield a question for each of the module's own names that looks like a misspelt one of the contract."""
    contract = {name.lower(): name for name in (*FUNCTIONS, *CONSTANTS)}
    for name, value in vars(module).items():
        if name.startswith("_") or name in contract.values() or isinstance(value, (ModuleType, type)):
            continue
        if getattr(value, "__module__", module.__name__) != module.__name__:
            continue
        for close in difflib.get_close_matches(name.lower(), contract, n=1, cutoff=0.82):
            if contract[close] not in known:
                yield f"{show(name)} is not a name that porting knows; did you mean {contract[close]}?"


def line_in(path: Path, error: BaseException) -> str:
    """Name the last line of the file that the exception passed through, if it did."""
    if isinstance(error, SyntaxError):
        return ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" ({path.name}, line {lines[-1]})" if lines else ""
