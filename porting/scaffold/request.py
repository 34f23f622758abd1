"""What is asked for when a working folder is made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from porting.scaffold.filling import near_path
from porting.scaffold.naming import ModelName


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        name: of the model.
        original: a package or a path, with ``:Class`` behind it where one is meant; None if it is not known.
        like: the nearest model type of Transformers; None if it is not known.
        checkpoint: the original's; None without one.
        output: the folder to write; None for one of the model's name.
        python: the original's interpreter; None for this one.
        run: whether the original may be run.
        seconds: that each attempt to run it may take.
    """

    name: ModelName
    original: str | None = None
    like: str | None = None
    checkpoint: Path | None = None
    output: Path | None = None
    python: str | None = None
    run: bool = True
    seconds: float = 120.0

    @property
    def interpreter(self) -> str | None:
        """The original's interpreter, from wherever it is started."""
        if self.python is None or os.sep not in self.python:
            return self.python
        return str(Path(self.python).expanduser().absolute())

    @property
    def folder(self) -> Path:
        """The folder to write."""
        return (self.output or Path(self.name.snake)).absolute()

    @property
    def written_interpreter(self) -> str | None:
        """The original's interpreter as the portfile has it."""
        found = self.interpreter
        return near_path(Path(found), self.folder) if found and os.sep in found else found
