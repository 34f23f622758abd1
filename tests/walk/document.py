"""A tutorial as a program: its commands with the output that is shown, and the edits between them, in order.

A ``console`` block has commands (``$ …``), each with its output below. A line ``…`` stands for any number of lines.
A ``diff`` block changes a file: ``--- path`` and then lines with a space, a minus or a plus before them, without line
numbers; ``@@`` begins another place. What is there before must be there once. A ``python`` block whose first line is
``# path`` brings the functions and names that it defines into that file, instead of those of the same names. A comment
``<!-- walk: NAME -->`` calls what the runner knows by that name. All other text is prose.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ANY = "…"
"""A line of output that stands for any number of lines."""
BLOCK = re.compile(
    r"^(?P<fence>```+)(?P<kind>\w+)\n(?P<body>.*?)^(?P=fence)$|^<!-- walk: (?P<call>\w+) -->$",
    re.DOTALL | re.MULTILINE,
)

IMPORT = re.compile(r"^(?:from|import) ", re.MULTILINE)


class DocumentError(Exception):
    """A part of the document cannot be understood, or does not fit the files that it speaks of."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command and what it printed, as shown.

    Attributes:
        line: of the command in the document, from 1.
        text: of the command.
        shown: the lines below it.
    """

    line: int
    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Something that the runner does by itself, by its name."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Diff:
    """Places of a file, as they are before and after."""

    line: int
    path: str
    places: tuple[tuple[str, str], ...]

    def apply(self, folder: Path) -> None:
        """Change the file.

        Raises:
            DocumentError: a place is not there, or more than once.
        """
        path = folder / self.path
        text = path.read_text(encoding="utf-8")
        for before, after in self.places:
            if text.count(before) != 1:
                raise DocumentError(
                    f"line {self.line}: {self.path} has this {text.count(before)} times, for once:\n{before}"
                )
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Definitions:
    """Functions and names to be written into a Python file."""

    line: int
    path: str
    text: str

    def apply(self, folder: Path) -> None:
        """Write them over those of the same names, or at the end; and what they import before the first import."""
        path = folder / self.path
        text = path.read_text(encoding="utf-8")
        imported = "".join(f"{line}\n" for line in self.text.splitlines() if IMPORT.match(line))
        text = IMPORT.sub(lambda first: imported + first[0], text, count=1)
        for name, source in defined(self.text).items():
            before = defined(text).get(name)
            text = text.replace(before, source) if before else f"{text.rstrip()}\n\n\n{source}\n"
        path.write_text(text, encoding="utf-8")


Part = Command | Call | Diff | Definitions


def parts(text: str) -> Iterator[Part]:
    """The parts of a document that are run, in their order."""
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        kind, body = found["kind"], (found["body"] or "").splitlines()
        if found["call"]:
            yield Call(line, found["call"])
        elif kind == "console":
            yield from _commands(line + 1, body)
        elif kind == "diff":
            yield Diff(line, body[0].removeprefix("--- "), tuple(_places(body[1:])))
        elif kind == "python" and body and body[0].startswith("# ") and body[0].endswith(".py"):
            yield Definitions(line, body[0].removeprefix("# "), "\n".join(body[1:]))


def _commands(first: int, lines: list[str]) -> Iterator[Command]:
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield Command(first + start, lines[start][2:], tuple(_stripped(lines[start + 1 : end])))


def _stripped(lines: list[str]) -> list[str]:
    """Without empty lines at the end, which part two commands in the document."""
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def _places(lines: list[str]) -> Iterator[tuple[str, str]]:
    starts = [-1, *(number for number, line in enumerate(lines) if line.startswith("@@"))]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        place = lines[start + 1 : end]
        if place:
            before = "".join(f"{line[1:]}\n" for line in place if line[:1] != "+")
            yield before, "".join(f"{line[1:]}\n" for line in place if line[:1] != "-")


def defined(text: str) -> dict[str, str]:
    """The source of each function and each assigned name of a Python file, with the decorators."""
    lines, found = text.splitlines(), {}
    for node in ast.parse(text).body:
        names = [node.name] if isinstance(node, ast.FunctionDef) else []
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        found.update({name: "\n".join(lines[first - 1 : node.end_lineno]) for name in names})
    return found
