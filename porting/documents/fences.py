"""Blocks that porting writes anew, inside a document that belongs to a person.

A block lies between two comments, which Markdown does not show. The first one carries a checksum of what was written,
so that a block in which somebody wrote since is known, and kept.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise

FENCE = re.compile(r"<!-- porting: (?P<name>[a-z]+) (?P<kind>begin|end)(?: (?P<sum>[0-9a-f]{8}))? -->\s*")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A block that is not written anew.

    Attributes:
        line: where it begins, from 1.
        message: why, and how it would be.
    """

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a document.

    Attributes:
        name: of it.
        start: the line of its first comment, from 0.
        stop: the line of its second comment.
        content: what lies between.
        sum: the checksum in its first comment, if there is one.
    """

    name: str
    start: int
    stop: int
    content: str
    sum: str | None

    @property
    def is_own(self) -> bool:
        """Whether nobody wrote in it: it is as it was written, or empty."""
        return not self.content.strip() or self.sum == checksum(self.content)


def sealed(text: str) -> str:
    """A rendered document, with the checksum of every block in its first comment."""
    return _replaced(text, {block.name: block.content for block in blocks_of(text)})


def merged(existing: str, rendered: str) -> tuple[str, tuple[Conflict, ...]]:
    """A document with its blocks as they are rendered today, and everything else as it is.

    A block that the document has no more is not brought back. One in which somebody wrote is kept, and told.

    Args:
        existing: the document.
        rendered: the same document, made anew.
    """
    today = {block.name: block.content for block in blocks_of(rendered)}
    conflicts, found = list(_disorders(existing, today)), {}
    for block in blocks_of(existing):
        if block.name not in today or block.content == today[block.name]:
            continue
        if block.is_own:
            found[block.name] = today[block.name]
        else:
            words = "was changed by hand and is kept; to have it written anew, delete what lies between its comments"
            conflicts.append(Conflict(block.start + 1, f"the block {block.name} {words}"))
    return _replaced(existing, found), tuple(conflicts)


def blocks_of(text: str) -> tuple[Block, ...]:
    """The blocks of a document: those of one beginning and one end."""
    lines = _lines(text)
    marks = [(number, found) for number, line in enumerate(lines) if (found := FENCE.fullmatch(line))]
    names = [found["name"] for _, found in marks]
    blocks = []
    for (start, begin), (stop, end) in pairwise(marks):
        is_pair = begin["name"] == end["name"] and (begin["kind"], end["kind"]) == ("begin", "end")
        if is_pair and names.count(begin["name"]) == 2:
            blocks.append(Block(begin["name"], start, stop, "".join(lines[start + 1 : stop]), begin["sum"]))
    return tuple(blocks)


def of_person(text: str) -> str:
    """A document without what is in its blocks; its lines have the same numbers."""
    lines = _lines(text)
    for block in blocks_of(text):
        lines[block.start : block.stop + 1] = ["\n"] * (block.stop + 1 - block.start)
    return "".join(lines)


def unfenced(text: str) -> str:
    """A text whose lines are no fences: for what others made and a block is to hold."""
    return "".join("\n" if FENCE.fullmatch(line) else line for line in _lines(text))


def checksum(content: str) -> str:
    """Of a block's content, whatever its line ends."""
    return hashlib.sha256(content.replace("\r\n", "\n").encode()).hexdigest()[:8]


def _disorders(text: str, names: dict[str, str]) -> list[Conflict]:
    """Fences of known blocks that are no pair."""
    whole = {block.name for block in blocks_of(text)}
    found: dict[str, int] = {}
    for number, line in enumerate(_lines(text), start=1):
        mark = FENCE.fullmatch(line)
        if mark and mark["name"] in names.keys() - whole:
            found.setdefault(mark["name"], number)
    words = "has not one beginning and one end, so it is kept"
    return [Conflict(number, f"the block {name} {words}") for name, number in found.items()]


def _replaced(text: str, contents: dict[str, str]) -> str:
    lines = _lines(text)
    for block in reversed(blocks_of(text)):
        if block.name in contents:
            content = contents[block.name]
            begin = f"<!-- porting: {block.name} begin {checksum(content)} -->\n"
            lines[block.start : block.stop] = [begin, content]
    return "".join(lines)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
