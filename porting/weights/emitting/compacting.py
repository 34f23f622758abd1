"""Pairs of names as few rules: what differs in numbers only is one rule."""

from __future__ import annotations

import re
from collections.abc import Iterable

from porting.weights.rules.patterns import Field, Pattern
from porting.weights.rules.rule import Rename

NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
"""A piece between dots that is a number."""


def compacted(pairs: Iterable[tuple[str, str]]) -> list[Rename]:
    """Renamings that do with these names what is said, in the order in which they come first.

    A number becomes a field where the new name has the same number in the same place among its numbers; a pattern is
    used only if it is right for every name that it matches.
    """
    wanted = dict(pairs)
    rules: dict[tuple[str, str], Rename] = {}
    for source, target in wanted.items():
        old, new = _patterns(source, target)
        rules.setdefault((str(old), str(new)), Rename(old, new))
    matched = {key: _matched(rule, wanted) for key, rule in rules.items()}
    kept: dict[tuple[str, str], Rename] = {}
    for source, target in wanted.items():
        old, new = _patterns(source, target)
        rule = rules[str(old), str(new)]
        right = all(rule.targets[0].fill(bindings) == wanted[name] for name, bindings in matched[str(old), str(new)])
        rule = rule if right else Rename(Pattern.literal(source), Pattern.literal(target))
        kept.setdefault((str(rule.sources[0]), str(rule.targets[0])), rule)
    return list(kept.values())


def _matched(rule: Rename, names: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    if not rule.sources[0].fields:
        return [(rule.sources[0].fill({}), {})]
    found = ((name, rule.sources[0].match(name)) for name in names)
    return [(name, bindings) for name, bindings in found if bindings is not None]


def _patterns(source: str, target: str) -> tuple[Pattern, Pattern]:
    olds, news = NUMBER.findall(source), NUMBER.findall(target)
    shared = [len(olds) == len(news) and old == new for old, new in zip(olds, news, strict=False)]
    fields = [f"n{number}" if same else None for number, same in enumerate(shared)]
    return _pattern(source, fields, "d"), _pattern(target, fields, "")


def _pattern(name: str, fields: list[str | None], kind: str) -> Pattern:
    parts: list[str | Field] = []
    end = 0
    for found, field in zip(NUMBER.finditer(name), fields, strict=False):
        if field:
            parts += [name[end : found.start()], Field(field, kind)]
            end = found.end()
    return Pattern.joined((*parts, name[end:]))
