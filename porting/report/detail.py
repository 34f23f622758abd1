"""How the terminal shows a result: in full or folded, and for which portfile its commands are typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from porting.portfile import command_line

_full: ContextVar[bool] = ContextVar("full", default=False)
_portfile: ContextVar[str] = ContextVar("portfile", default="portfile.py")


@contextmanager
def shown(*, full: bool = False, portfile: str = "portfile.py") -> Iterator[None]:
    """Within this context, nothing is folded if ``full``, and commands name the portfile as the user did."""
    tokens = _full.set(full), _portfile.set(portfile)
    try:
        yield
    finally:
        _full.reset(tokens[0])
        _portfile.reset(tokens[1])


def in_full() -> bool:
    """Whether folding is switched off."""
    return _full.get()


def typed(command: str) -> str:
    """A command of ``porting`` as the user would type it now."""
    return command_line(_portfile.get(), command)
