"""Where a module's forward is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Source:
    """A place in a file.

    Attributes:
        file: as Python knows it.
        line: of the first line of the forward.
    """

    file: str
    line: int

    def __str__(self) -> str:
        """The place in short: the package or the folder, and the file."""
        parts = self.file.replace("\\", "/").split("/")
        below = parts[parts.index("site-packages") + 1 :] if "site-packages" in parts else parts[-2:]
        return f"{'/'.join(below)}:{self.line}"


def source_of(module: torch.nn.Module) -> Source | None:
    """The place of a module's forward; None where Python has no source of it."""
    code = getattr(_innermost(module.forward), "__code__", None)
    if code is None or code.co_filename.startswith("<"):
        return None
    return Source(code.co_filename, code.co_firstlineno)


def _innermost(function: Callable[..., Any]) -> Any:
    """The function itself below decorators, partials and binding."""
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(getattr(function, "__func__", function))
