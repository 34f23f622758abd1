"""The table of contents of Transformers' documentation: a model's entry, put where it belongs; no other byte moves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from porting.text import show

ENTRY = re.compile(r"(?P<indent> *)- local: model_doc/(?P<name>\S+)\s*")
TITLE = re.compile(r" *(?:- )?title: (?P<title>.*?)\s*")
PLAIN = re.compile(r"(?!(?:yes|no|on|off|true|false|null|y|n)$)[A-Za-z][A-Za-z0-9 ._+-]*", re.IGNORECASE)
GROUPS = {"text": "text models", "image": "vision models", "audio": "audio models", "video": "video models"}
SEVERAL = "multimodal models"
"""Titles of the groups of models, in small letters, by what the models read."""


@dataclass(frozen=True, slots=True)
class Group:
    """Models that stand together.

    Attributes:
        title: of the group, in small letters.
        indent: columns before each entry.
        entries: the line of each model's entry, from 0, with its title.
        stop: the line after the last entry.
    """

    title: str
    indent: str
    entries: tuple[tuple[int, str], ...]
    stop: int


def has_entry(toctree: str, name: str) -> bool:
    """Whether a model's page is in the table of contents."""
    lines = toctree.splitlines()
    return any((found := ENTRY.fullmatch(line)) is not None and found["name"] == name for line in lines)


def entry_text(name: str, title: str, indent: str = "      ", end: str = "\n") -> str:
    """The entry of a model, as it stands in the table of contents."""
    shown = title if PLAIN.fullmatch(title) else "'" + show(title).replace("'", "''") + "'"
    return f"{indent}- local: model_doc/{name}{end}{indent}  title: {shown}{end}"


def with_entry(toctree: str, name: str, title: str, materials: Sequence[str]) -> str | None:
    """The table of contents with a model's entry, in the order of the titles; None where its group is not found.

    Args:
        toctree: the file's text, in which every other byte stays.
        name: of the page.
        title: of the model.
        materials: what the model reads: ``text``, ``image``, ``audio``, ``video``.
    """
    wanted = GROUPS.get(materials[0]) if len(materials) == 1 else SEVERAL if materials else None
    group = next((each for each in groups_of(toctree) if each.title == wanted), None)
    if group is None or has_entry(toctree, name):
        return None
    lines = toctree.splitlines(keepends=True)
    at = next((line for line, other in group.entries if other.lower() > title.lower()), group.stop)
    before, after = lines[at - 1], lines[at] if at < len(lines) else ""
    if not before.endswith("\n") or after.startswith(
        f"{group.indent} "
    ):  # what is more of an entry than is known here
        return None
    end = "\r\n" if lines[group.entries[0][0]].endswith("\r\n") else "\n"
    return "".join([*lines[:at], entry_text(name, title, group.indent, end), *lines[at:]])


def groups_of(toctree: str) -> Iterator[Group]:
    """Yield the groups of models: entries that follow on each other, with the title above or below them."""
    lines = toctree.splitlines()
    number = 0
    while number < len(lines):
        found = ENTRY.fullmatch(lines[number])
        if found is None:
            number += 1
            continue
        start, indent, entries = number, found["indent"], []
        while number + 1 < len(lines) and (entry := ENTRY.fullmatch(lines[number])) and entry["indent"] == indent:
            entries.append((number, _title(lines[number + 1])))
            number += 2
        number = max(number, start + 1)
        yield Group(_title_of(lines, start, number, indent).lower(), indent, tuple(entries), number)


def _title_of(lines: Sequence[str], start: int, stop: int, indent: str) -> str:
    """The title of the group of some lines: right below them, or two lines above, before ``sections:``."""
    below = lines[stop] if stop < len(lines) else ""
    if below.startswith(f"{indent}title:"):
        return _title(below)
    above = lines[start - 2] if start >= 2 and lines[start - 1].strip() == "sections:" else ""
    return _title(above)


def _title(line: str) -> str:
    found = TITLE.fullmatch(line)
    return found["title"].strip("'\"") if found else ""
