"""Whether a command printed what a document shows, but for what differs from run to run and machine to machine.

Versions, commits, hashes, times and durations may be others; figures that are measured rounding may be ten times
larger or smaller, other decimal fractions differ by a twentieth. Everything else is the same, number for number.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from walk.document import ANY

CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d| UTC)?|\b\d{4}-\d\d-\d\d\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+){2,}(\+\w+)?"), "VERSION"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,64}\b|\b\d{7,8}(?= on branch)"), "HASH"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|seconds|ms)\b"), "DURATION"),
)
FRACTION = re.compile(r"(?<![\w.])-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)|(?<![\w.-])0(?![\w.])")
ROUNDING = 1e-4
"""Figures below this are taken for rounding, if they are measured."""


def unlike(shown: Sequence[str], printed: Sequence[str]) -> str:
    """What differs, as a diff from what is shown to what was printed; empty if nothing does."""
    old, new = [_words(line) for line in shown], [_words(line) for line in printed]
    if _match(old, new):
        return ""
    kept = [
        each if each == ANY else next((n for n in printed if _same(_words(n), _words(each))), each) for each in shown
    ]
    return "\n".join(difflib.unified_diff(kept, list(printed), "shown", "printed", lineterm="", n=2))


def _match(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines are the same, where one that is `ANY` stands for any number of lines."""
    reached = {0}
    for line in shown:
        if line == ANY:
            reached = set(range(min(reached), len(printed) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(printed) and _same(line, printed[at])}
        if not reached:
            return False
    return len(printed) in reached


def _words(line: str) -> str:
    """A line without what always changes, its columns parted by two spaces."""
    for pattern, name in CHANGING:
        line = pattern.sub(name, line)
    return re.sub(r" {2,}|─{2,}", "  ", line.rstrip())


def _same(one: str, other: str) -> bool:
    figures = zip(FRACTION.findall(one), FRACTION.findall(other), strict=False)
    return FRACTION.sub("#", one) == FRACTION.sub("#", other) and all(_near(float(a), float(b)) for a, b in figures)


def _near(one: float, other: float) -> bool:
    low, high = sorted((abs(one), abs(other)))
    if high < ROUNDING:
        return high < 1e-6 or high <= 10 * low
    return high - low <= high / 20
