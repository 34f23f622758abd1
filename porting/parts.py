"""Parts of generated files that are left to a person: ``[[you: what is to be written]]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from porting.text import show

PART = re.compile(r"\[\[you: (?P<what>[^\[\]]+)\]\]")


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a person has to write.

    Attributes:
        line: in the file, from 1.
        what: is to be written there.
    """

    line: int
    what: str


def parts_left(text: str) -> tuple[Part, ...]:
    """The parts of a file that are still to be written, in their order."""
    lines = enumerate(text.splitlines(), start=1)
    return tuple(Part(number, found["what"]) for number, line in lines for found in PART.finditer(line))


def part(what: object) -> str:
    """The mark of a part that a person has to write, on one line, whatever the text holds."""
    return f"[[you: {show(what).translate(str.maketrans('[]', '()'))}]]"
