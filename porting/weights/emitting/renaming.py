r"""Renamings as Transformers applies them: a pattern is searched in a name, and the place where it is, is replaced.

One capturing group at most stands for what varies, and the text that replaces it is a pattern, too, when the model is
saved under the original's names. So patterns begin with ``^``, only dots are escaped, and a group holds no group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from porting.errors import GenerationError
from porting.text import show
from porting.weights.emitting.regexes import field_regex
from porting.weights.rules.patterns import Field, Pattern

Bindings = Mapping[str, str]
Parts = tuple[str | Field, ...]
GENERAL, BY_VALUE, LITERAL = range(3)
"""How patterns are written: with a group for what varies; with its values where these are words; name by name."""


@dataclass(frozen=True)
class Renaming:
    """The two arguments of a ``WeightRenaming``."""

    source: str
    target: str


def renamings(source: Pattern, target: Pattern, found: Sequence[Bindings], level: int) -> list[Renaming]:
    """What renames the names that a pattern takes.

    Args:
        source: of the original's names.
        target: of the port's.
        found: what the source's fields stand for in each of the names.
        level: `GENERAL`, `BY_VALUE` or `LITERAL`.

    Raises:
        GenerationError: a name has a character that Transformers' patterns cannot have.
    """
    old, new = (source.parts, target.parts) if level == LITERAL else _without_tail(source.parts, target.parts)
    values = {name: field.kind for name, field in source.fields.items()}
    kept = _kept(old, new, found, level, values)
    lines: dict[Renaming, None] = {}
    for bindings in found:
        fixed = {name: value for name, value in bindings.items() if name not in kept}
        left, right = _fixed(old, fixed), _fixed(new, fixed)
        if level == BY_VALUE:
            left, right = _by_first_piece(left, right, bindings, values)
        line = _line(left, right, {name: Field(name, kind) for name, kind in values.items()})
        if line.source != line.target:
            lines[line] = None
    return list(lines)


def literal_text(name: str) -> str:
    """A name in a pattern.

    Raises:
        GenerationError: it has a character that Transformers' patterns cannot have.
    """
    if special := re.search(r"[\\^$*+?{}\[\]|()]", name):
        raise GenerationError(
            f"the name {show(name)} has {show(special[0])}, which Transformers' patterns of names cannot have",
            hint="write the script instead: porting convert --emit script",
        )
    return name.replace(".", r"\.")


def _without_tail(old: Parts, new: Parts) -> tuple[Parts, Parts]:
    """Without a last field that both have: what comes after the place that is replaced stays."""
    if len(old) < 2 or len(new) < 2 or not isinstance(old[-1], Field) or not isinstance(new[-1], Field):
        return old, new
    same = old[-1].name == new[-1].name and not new[-1].offset
    once = sum(isinstance(part, Field) and part.name == old[-1].name for part in (*old, *new)) == 2
    ends = all(isinstance(part, str) and part.endswith(".") for part in (old[-2], new[-2]))
    return (old[:-1], new[:-1]) if same and once and ends else (old, new)


def _kept(old: Parts, new: Parts, found: Sequence[Bindings], level: int, kinds: Mapping[str, str]) -> frozenset[str]:
    """The fields that stay fields: those of one stretch that both have, else the one with the most values."""
    fields = [part.name for part in old if isinstance(part, Field)]
    if level == LITERAL or len(set(fields)) < len(fields):
        return frozenset()
    plain = [name for name in fields if level == GENERAL or kinds[name] in ("d", "*")]
    if len(plain) == len(fields) and _stretch(old) == _stretch(new) and not any("|" in kinds[each] for each in fields):
        return frozenset(fields)
    single = [
        name for name in plain if [part.offset for part in new if isinstance(part, Field) and part.name == name] == [0]
    ]
    return frozenset([max(single, key=lambda name: len({each[name] for each in found}))] if single else [])


def _stretch(parts: Parts) -> tuple[str, ...]:
    """The parts from the first field to the last."""
    places = [place for place, part in enumerate(parts) if isinstance(part, Field)]
    part = parts[places[0] : places[-1] + 1] if places else ()
    return tuple(each if isinstance(each, str) else f"{{{each.name}{each.offset:+d}}}" for each in part)


def _fixed(parts: Parts, fixed: Bindings) -> Parts:
    """The parts with the values of some fields."""
    filled = [
        Pattern((part,)).fill(fixed) if isinstance(part, Field) and part.name in fixed else part for part in parts
    ]
    return Pattern.joined(filled).parts


def _by_first_piece(old: Parts, new: Parts, bindings: Bindings, kinds: Mapping[str, str]) -> tuple[Parts, Parts]:
    """With the first piece of what a field of anything, cut off as the tail, stands for."""
    tail = [name for name, kind in kinds.items() if kind == "*"]
    if len(tail) != 1 or any(isinstance(part, Field) and part.name == tail[0] for part in old):
        return old, new
    piece, dot, _ = bindings[tail[0]].partition(".")
    return _fixed((*old, piece + dot), {}), _fixed((*new, piece + dot), {})


def _line(old: Parts, new: Parts, fields: Mapping[str, Field]) -> Renaming:
    if not any(isinstance(part, Field) for part in old):
        return Renaming(*(f"^{literal_text(str(''.join(map(str, parts))))}" for parts in (old, new)))
    first, last = _ends(old)
    group = "".join(
        literal_text(part) if isinstance(part, str) else field_regex(fields[part.name])
        for part in old[first : last + 1]
    )
    before, after = (literal_text("".join(map(str, part))) for part in (old[:first], old[last + 1 :]))
    start, stop = _ends(new)
    begin, end = (literal_text("".join(map(str, part))) for part in (new[:start], new[stop + 1 :]))
    return Renaming(f"^{before}({group}){after}", f"^{begin}\\1{end}")


def _ends(parts: Parts) -> tuple[int, int]:
    places = [place for place, part in enumerate(parts) if isinstance(part, Field)]
    return places[0], places[-1]
