"""A document with the output that its commands print now; what was left out (`…`) stays left out, where it can."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from walk.document import ANY, Command
from walk.likeness import unlike

LIKE = 0.6
"""How alike two lines have to be, from 0 to 1, to be the same line with other words."""


def with_output(text: str, printed: Sequence[tuple[Command, list[str]]]) -> str:
    """The document with the output of those commands that print something else than it shows."""
    lines = text.splitlines()
    for command, output in reversed(printed):
        if unlike(command.shown, output):
            at = command.line
            lines[at : at + len(command.shown)] = shortened(command.shown, output)
    return "\n".join(lines) + "\n"


def shortened(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """The new output, left out where the old one was: between the lines that resemble those around each `…`."""
    kept: list[str] = []
    start = 0
    for number, line in enumerate(shown):
        if line != ANY:
            continue
        before = _place(shown[number - 1], printed, start) if number else start - 1
        after = _place(shown[number + 1], printed, start) if number + 1 < len(shown) else len(printed)
        if before is not None and after is not None and before < after:
            kept += [*printed[start : before + 1], ANY]
            start = after
    return [*kept, *printed[start:]]


def _place(line: str, printed: Sequence[str], start: int) -> int | None:
    """Where a line like this is, from a place on."""
    alike = [
        (difflib.SequenceMatcher(None, line, each).ratio(), -at) for at, each in enumerate(printed) if at >= start
    ]
    best, at = max(alike, default=(0.0, 0))
    return -at if best >= LIKE else None
