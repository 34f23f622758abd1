"""Untrusted values in Markdown: what is not known to be harmless stands in a code span, where it means nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from porting.errors import GenerationError
from porting.stubs.literals import dotted, identifier, pylit
from porting.templating import environment
from porting.text import show

LONGEST = 200


class Harmless(str):
    """A text that may stand in a document as it is."""

    __slots__ = ()


def code(value: object, limit: int = LONGEST) -> Harmless:
    """A value as a code span of one line: no link, mention, tag, table cell or fence can come of it."""
    text = show(value, limit).replace("|", "\\|").strip() or " "
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks, space = "`" * (longest + 1), " " if longest else ""
    return Harmless(f"{ticks}{space}{text}{space}{ticks}")


def words(value: object) -> Harmless:
    """A text for a heading or a sentence: letters, digits and harmless marks, everything else a ``?``."""
    text = re.sub(r"[^A-Za-z0-9 .,;()+'-]+", "?", re.sub(r"[\s_]+", " ", show(value)))
    return Harmless(text.replace("www.", "www ").strip(" -+") or "?")


def render(template: str, **data: Any) -> str:
    """Render a template of ``porting.templates`` that is Markdown; data must have gone through one of its filters.

    Raises:
        GenerationError: something has not, a name cannot be a name, or a value not be written down.
    """
    templates = environment(finalize=_require_harmless)
    templates.filters.update(FILTERS)
    return templates.get_template(template).render(**data)


def _filter(function: Callable[[Any], str]) -> Callable[[Any], Harmless]:
    return lambda value: Harmless(function(value))


FILTERS = {
    "code": code,
    "words": words,
    "pylit": _filter(pylit),
    "identifier": _filter(identifier),
    "dotted": _filter(dotted),
}
"""What a template may put data through."""


def _require_harmless(value: object) -> object:
    if not isinstance(value, Harmless | int):
        raise GenerationError(f"{show(value)} would stand in a document as it is")
    return value
