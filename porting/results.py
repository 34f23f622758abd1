"""What every result of the public API can do: say whether it is fine, raise if not, print itself, become JSON."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from porting.errors import MismatchError

if TYPE_CHECKING:
    from rich.console import RenderableType


class Shown:
    """Base of what is shown in a terminal and in a notebook by one rendering.

    Attributes:
        renderer: ``module:function`` that makes the rendering, imported when one is asked for.
    """

    renderer: ClassVar[str] = ""

    def __rich__(self) -> RenderableType:
        """The terminal rendering."""
        module, _, function = self.renderer.partition(":")
        rendering: RenderableType = getattr(import_module(module), function)(self)
        return rendering

    def text(self, width: int = 160) -> str:
        """The same rendering as plain text.

        Args:
            width: in columns; longer lines are broken.
        """
        from rich.console import Console

        console = Console(file=io.StringIO(), width=width, force_jupyter=False, force_terminal=False)
        with console.capture() as captured:
            console.print(self, crop=False)
        return "\n".join(line.rstrip() for line in captured.get().splitlines())

    def _repr_html_(self) -> str:
        """The same rendering for notebooks."""
        from rich.console import Console

        console = Console(record=True, file=io.StringIO(), width=120, force_jupyter=False)
        console.print(self, crop=False)
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


class Result(Shown, ABC):
    """Base of the frozen dataclasses that the public functions return; without a renderer their summary is shown."""

    @property
    @abstractmethod
    def ok(self) -> bool:
        """Whether the command line would exit with 0."""

    @property
    def exit_code(self) -> int:
        """What the command line exits with: 0 verified, 1 a difference, 3 inconclusive."""
        return 0 if self.ok else 1

    @abstractmethod
    def summary(self) -> str:
        """The result in one line, the verdict first."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The result as the JSON document of the command's ``--json``; no NaN or Infinity."""

    def assert_ok(self) -> None:
        """Raise if the result is not `ok`.

        Raises:
            MismatchError: with the summary and the places that differ as its message.
        """
        __tracebackhide__ = True
        if not self.ok:
            raise MismatchError(self.failure_message())

    def failure_message(self) -> str:
        """What `assert_ok` says."""
        return self.summary()

    def __repr__(self) -> str:
        """One line: the class and the summary."""
        return f"<{type(self).__name__}: {self.summary()}>"

    def __rich__(self) -> RenderableType:
        """The terminal rendering."""
        from rich.markup import escape

        return super().__rich__() if self.renderer else escape(self.summary())
