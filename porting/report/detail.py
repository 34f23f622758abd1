"""How much of a result the terminal shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_full: ContextVar[bool] = ContextVar("full", default=False)


@contextmanager
def shown_in_full(full: bool) -> Iterator[None]:
    """Within this context, nothing is folded if ``full``."""
    token = _full.set(full)
    try:
        yield
    finally:
        _full.reset(token)


def in_full() -> bool:
    """Whether folding is switched off."""
    return _full.get()
