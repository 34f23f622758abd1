"""Whether a command printed what a document shows, but for what differs from run to run and machine to machine.

Versions, commits, hashes, times and durations may be others; figures that are measured rounding may be ten times
larger or smaller, other decimal fractions differ by a twentieth. Everything else is the same, word for word and number
for number; where a line is broken does not matter, as that depends on the length of paths.
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
    (re.compile(r"\b[\d.e+]+(?= times the noise floor)"), "FACTOR"),
)
FRACTION = re.compile(r"(?<![\w.])-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)|(?<![\w.-])0(?![\w.])")
ROUNDING = 1e-4
"""Figures below this are taken for rounding, if they are measured."""


def unlike(shown: Sequence[str], printed: Sequence[str]) -> str:
    """What differs, as a diff from what is shown to what was printed; empty if nothing does."""
    if _match(_segments(shown), _words(printed)):
        return ""
    alike = [next((each for each in printed if _same(_words([each]), _words([line]))), line) for line in shown]
    return "\n".join(difflib.unified_diff(alike, list(printed), "shown", "printed", lineterm="", n=2))


def _segments(shown: Sequence[str]) -> list[list[str]]:
    """The words between those lines that stand for others, the first and the last of them at the ends."""
    found: list[list[str]] = [[]]
    for line in shown:
        if line == ANY:
            found.append([])
        else:
            found[-1].append(line)
    return [_words(lines) for lines in found]


def _match(segments: list[list[str]], printed: list[str]) -> bool:
    """Whether the words are those of the segments, with any others between these."""
    first, *rest = segments
    if not rest:
        return _same(first, printed)
    *middle, last = rest
    at = len(first)
    end = len(printed) - len(last)
    if end < at or not _same(first, printed[:at]) or not _same(last, printed[end:]):
        return False
    for words in middle:
        place = next((n for n in range(at, end - len(words) + 1) if _same(words, printed[n : n + len(words)])), None)
        if place is None:
            return False
        at = place + len(words)
    return True


def _words(lines: Sequence[str]) -> list[str]:
    """The words of some lines, without what always changes."""
    text = "\n".join(lines)
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return text.split()


def _same(some: list[str], others: list[str]) -> bool:
    return len(some) == len(others) and all(map(_alike, some, others))


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    figures = zip(FRACTION.findall(one), FRACTION.findall(other), strict=False)
    return FRACTION.sub("#", one) == FRACTION.sub("#", other) and all(_near(float(a), float(b)) for a, b in figures)


def _near(one: float, other: float) -> bool:
    low, high = sorted((abs(one), abs(other)))
    if high < ROUNDING:
        return high < 1e-6 or high <= 10 * low
    return high - low <= high / 20
