"""An objection that names nothing is understood by what it is mended with: the checker's own fix, run in a copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from porting.linting.naming import Naming
from porting.text import show

PLACE = re.compile(r"@@ -(?P<line>\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")
MOST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Change:
    """Some lines of a file that a fix changes.

    Attributes:
        path: of the file, in the checkout.
        line: of the first of them, as the file is.
        lines: from the first to the last that is changed, each with ``+``, ``-`` or a space before it.
    """

    path: str
    line: int
    lines: tuple[str, ...]

    def words_about(self, naming: Naming) -> str:
        """Where and how it changes what a model has, to be shown; empty if it is about others.

        Where others would be in order without the model's entry, that is what is not, whichever of them a diff moves.
        """
        changed = [each for each in self.lines if each[0] in "+-"]
        own = [each for each in self.lines if naming.lines(each[1:])]
        if not naming.lines(self.path):
            before, after = (_without(naming, self._side(mark)) for mark in "-+")
            changed = own if before == after else [each for each in own if each in changed]
        if not changed:
            return ""
        word = {"+": "is missing here", "-": "does not belong here", " ": "is not in its place"}[changed[0][0]]
        return f"{show(self.path)}:{self.line}: {show(changed[0][1:].strip(), MOST_SHOWN)} {word}"

    def _side(self, mark: str) -> list[str]:
        """The lines before (``-``) or after it (``+``)."""
        return [each[1:] for each in self.lines if each[0] in (" ", mark)]


def changes_in(diff: str) -> Iterator[Change]:
    """The changes in a diff of git, hunk by hunk."""
    path, line, lines = "", 0, list[str]()
    for each in [*diff.splitlines(), "diff --git"]:
        place = PLACE.match(each)
        if place or each.startswith("diff --git"):
            yield from _change(path, line, lines)
            line, lines = int(place["line"]) if place else 0, []
        elif line:
            lines.append(each or " ")
        elif each.startswith("--- a/"):
            path = each.removeprefix("--- a/").rstrip("\t")


def _change(path: str, line: int, lines: list[str]) -> Iterator[Change]:
    """What a hunk changes, without the lines around it."""
    changed = [number for number, each in enumerate(lines) if each[0] in "+-"]
    if changed:
        before = sum(each[0] != "+" for each in lines[: changed[0]])
        yield Change(path, line + before, tuple(lines[changed[0] : changed[-1] + 1]))


def _without(naming: Naming, lines: list[str]) -> list[str]:
    """Lines without those that name a model, and without what is indented below them."""
    kept, deeper = list[str](), -1
    for each in lines:
        indent = len(each) - len(each.lstrip())
        if 0 <= deeper < indent:
            continue
        deeper = indent if naming.lines(each) else -1
        kept += [] if deeper >= 0 else [each]
    return kept
