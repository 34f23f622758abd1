"""Parts of generated files that are left to a person: ``[[you: what is to be written]]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porting.text import show

LONGEST = 400
"""Characters of what a mark says."""
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
    return f"[[you: {show(what, LONGEST).translate(str.maketrans('[]', '()'))}]]"


def parts_of(files: Mapping[Path, str | bytes]) -> Iterator[tuple[Path, Part]]:
    """Yield the parts that are still to be written in several files, each with its file; bytes hold none."""
    for path, text in files.items():
        if isinstance(text, str):
            yield from ((path, part) for part in parts_left(text))


def as_json(path: Path, part: Part) -> dict[str, Any]:
    """A part of a file as JSON."""
    return {"file": str(path), "line": part.line, "what": part.what}


def with_filled(rendered: str, existing: str) -> str:
    """A file that is generated anew, with what a person wrote into the lines of its parts before.

    Args:
        rendered: the file, anew.
        existing: the file as it is; a line there counts that is the same but for the parts, and the only one.
    """
    lines = existing.splitlines()
    return "".join(_filled(line, lines) if PART.search(line) else line for line in rendered.splitlines(keepends=True))


def _filled(line: str, lines: list[str]) -> str:
    between = PART.split(line.rstrip("\r\n"))[::2]
    pattern = re.compile("(.+)".join(map(re.escape, between)))
    found = [each for each in lines if pattern.fullmatch(each) and not PART.search(each)]
    return f"{found[0]}\n" if len(found) == 1 and any(text.strip(" #") for text in between) else line
