"""Results as rich renderables; `render` finds the one for a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.results import Result

_RENDERERS = {
    "Checklist": ("porting.report.checklist", "render_checklist"),
    "Comparison": ("porting.report.verification", "render_comparison"),
    "GeneratedTest": ("porting.report.files", "render_generated"),
    "Recording": ("porting.report.files", "render_recording"),
    "Verification": ("porting.report.verification", "render_verification"),
    "WeightsReport": ("porting.report.weights", "render_weights"),
}

_full: ContextVar[bool] = ContextVar("full", default=False)


def render(result: Result) -> RenderableType:
    """The rendering of any result of the public API; of an unknown kind its summary."""
    home = _RENDERERS.get(type(result).__name__)
    if home is None:
        return Text(result.summary())
    renderer: Callable[[Any], RenderableType] = getattr(import_module(home[0]), home[1])
    return renderer(result)


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
