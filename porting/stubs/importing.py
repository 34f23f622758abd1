"""Import statements of generated files."""

from __future__ import annotations

from collections.abc import Iterable

Line = tuple[str, list[str]]
"""A module, and the names that are imported from it."""


def imports(names: Iterable[tuple[str, str]]) -> list[list[Line]]:
    """The import statements for names of modules, in sections as isort makes them: others', then Transformers' own."""
    lines = lines_of(names)
    sections = [[line for line in lines if of_transformers(line) == own] for own in (False, True)]
    return [section for section in sections if section]


def lines_of(names: Iterable[tuple[str, str]]) -> list[Line]:
    """One statement for each module, sorted."""
    found: dict[str, set[str]] = {}
    for module, name in names:
        found.setdefault(module, set()).add(name)
    return [(module, sorted(found[module])) for module in sorted(found)]


def of_transformers(line: Line) -> bool:
    """Whether a statement imports from Transformers itself."""
    return line[0].split(".")[0] == "transformers"
