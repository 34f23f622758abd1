"""The functions of the user's portfile, called in its folder, with what they use noted for evidence."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from porting.contract import line_in
from porting.errors import PortfileError, PortingError
from porting.evidence.asking import Asked, note
from porting.evidence.functions import source_of
from porting.evidence.using import Used
from porting.runs import Side
from porting.text import show


@dataclass(frozen=True)
class UserFile:
    """What a portfile defines, and how it is called.

    Attributes:
        path: the file.
        functions: those of the contract that it defines.
        constants: those of the contract that it defines.
        warnings: names that look like a misspelt one of the contract.
        sha256: of the file as it was run.
        source: the file as it was run.
        answers: what the input functions returned: they are asked once, as their answers may be random.
        used: what the functions read and returned, for evidence.
    """

    path: Path
    functions: Mapping[str, Callable[..., Any]]
    constants: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    sha256: str = ""
    source: str = field(default="", repr=False, compare=False)
    answers: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    used: Used = field(default_factory=Used, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Have it noted what is looked up."""
        object.__setattr__(self, "functions", Asked("function", self.functions))
        object.__setattr__(self, "constants", Asked("constant", self.constants))

    @property
    def folder(self) -> Path:
        """The folder that the portfile's relative paths start from."""
        return self.path.parent

    def watched(self, name: str) -> Callable[..., Any] | None:
        """A function of the portfile that is called often, which notes what it reads; None without it.

        The caller sees to the folder (`running`), and to what the function raises.
        """
        ask_for(name)
        function = self.functions.get(name)
        if function is None:
            return None

        @functools.wraps(function)
        def noting(*args: Any) -> Any:
            with self._watching(name, builds=False):
                return function(*args)

        return noting

    def call(self, name: str, *args: Any) -> Any:
        """Call a function of the portfile in its folder, its prints on stderr.

        Raises:
            PortfileError: it is missing, or raised; the message names the function, the exception and the line.
        """
        self.require(name)
        ask_for(name)
        try:
            with self.running(), self._watching(name, builds=not args):
                made = self.functions[name](*args)
            if not args:
                self.used.made(name, made)
            return made
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            module = self.path.stem
            said = error.hint if isinstance(error, PortingError) else ""
            raise PortfileError(
                f"{name}() raised {type(error).__name__}: {show(error, 500)}{line_in(self.path, error)}",
                hint=said or f'run it alone: python -c "import {module}; {module}.{name}()" (or add --debug)',
            ) from error

    def ran_elsewhere(self, side: Side, read: Sequence[str], code: Sequence[str], began: int) -> None:
        """Note what a side used that another interpreter built and ran.

        Args:
            side: that was run.
            read: files that were opened.
            code: files of the modules that were loaded.
            began: when it was started, in nanoseconds.
        """
        ask_for(side)
        note(f"function run_{side}")
        self.used.elsewhere(side, read, code)
        self.used.add_named(side, source_of(self.source), self.folder, began)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the user's code in the portfile's folder, with what it prints on stderr."""
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(sys.stderr):
            yield

    @contextlib.contextmanager
    def _watching(self, name: str, *, builds: bool) -> Iterator[None]:
        """Note what a function reads."""
        with self.used.watching(name, source_of(self.source), self.folder, builds=builds):
            yield

    def require(self, *names: str) -> None:
        """See that functions are there.

        Raises:
            PortfileError: one is missing.
        """
        for name in names:
            if name not in self.functions:
                raise PortfileError(
                    f"{show(self.path)} has no function {name}()" + "".join(f"; {text}" for text in self.warnings),
                    hint=f"add: def {name}(): ...  (see the README for what it returns)",
                )


def ask_for(name: str) -> None:
    """Note that a function is asked for: itself, what it reads, and the code of what it returns."""
    note(f"function {name}", f"files {name}", f"code {name}")
