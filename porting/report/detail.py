"""How the terminal shows a result: folded or not, with the alignment or not, and for which portfile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.text import Text

from porting.portfile import command_line

_full: ContextVar[bool] = ContextVar("full", default=False)
_alignment: ContextVar[bool] = ContextVar("alignment", default=False)
_portfile: ContextVar[str] = ContextVar("portfile", default="portfile.py")


@contextmanager
def shown(*, full: bool = False, alignment: bool = False, portfile: str = "portfile.py") -> Iterator[None]:
    """Within this context, nothing is folded if ``full``, and commands name the portfile as the user did.

    With ``alignment``, a verification shows which module was taken for which, and why.
    """
    tokens = _full.set(full), _portfile.set(portfile), _alignment.set(alignment)
    try:
        yield
    finally:
        _full.reset(tokens[0])
        _portfile.reset(tokens[1])
        _alignment.reset(tokens[2])


def in_full() -> bool:
    """Whether folding is switched off."""
    return _full.get()


def with_alignment() -> bool:
    """Whether the alignment is shown, too."""
    return _alignment.get()


def next_line(command: str, style: str = "") -> Text:
    """What to do next, in one line however long, so that a command can be copied."""
    return Text(f"Next: {command}", style=style, no_wrap=True, overflow="ignore")


def typed(command: str) -> str:
    """A command of ``porting`` as the user would type it now."""
    return command_line(_portfile.get(), command)
