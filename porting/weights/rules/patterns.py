"""Patterns of tensor names: full names in which fields stand for what varies, such as the number of a layer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from porting.errors import RuleError
from porting.text import show

FIELD = re.compile(r"\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<offset>[+-][0-9]{1,9})|:(?P<kind>[^{}]*))?\}")
TOKEN = re.compile(rf"\{{\{{|\}}\}}|{FIELD.pattern}|[{{}}]")
KINDS = {"": r"[^.]+", "d": r"[0-9]{1,18}", "*": r".+"}
"""What a field stands for: one piece without a dot, a number, anything; else one of several words."""

NUMBER = re.compile(KINDS["d"])
LONGEST = 1000
"""Characters of a name; a longer one is matched by no field, as names may be made to take for ever."""
MOST_FREE = 2
"""Ends of fields that a name leaves open at most: each multiplies the time by the name's length."""

Bindings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a name that varies.

    Attributes:
        name: what it is called.
        kind: ``""`` for one piece without a dot, ``"d"`` for a number, ``"*"`` for anything, ``"a|b"`` for words.
        offset: what is added to its number.
    """

    name: str
    kind: str = ""
    offset: int = 0

    @property
    def regex(self) -> str:
        """What it matches."""
        return KINDS.get(self.kind) or "|".join(re.escape(word) for word in self.kind.split("|"))

    def __str__(self) -> str:
        """As it is written in a pattern."""
        end = f":{self.kind}" if self.kind else f"{self.offset:+d}" if self.offset else ""
        return f"{{{self.name}{end}}}"


@dataclass(frozen=True)
class Pattern:
    """A full name with fields.

    ``layers.{i:d}.{part}.weight`` matches ``layers.3.norm.weight``: ``{i:d}`` is a number, ``{part}`` a piece without
    a dot, ``{rest:*}`` anything, ``{leaf:weight|bias}`` one of these words. A field given twice is the same both
    times. On the other side of a rule ``{i}`` is what was found, ``{i-1}`` and ``{i+1}`` are its neighbours. A brace
    of a name is doubled.

    Attributes:
        parts: its texts and fields, in order.
    """

    parts: tuple[str | Field, ...]

    @classmethod
    def of(cls, text: str | Pattern) -> Pattern:
        """Read a pattern.

        Raises:
            RuleError: it is not text, or a brace is left open.
        """
        if isinstance(text, Pattern):
            return text
        if not isinstance(text, str) or not text:
            raise RuleError(f"a pattern is a name with fields such as {{i:d}}, and {show(repr(text))} was given")
        parts: list[str | Field] = []
        end = 0
        for token in TOKEN.finditer(text):
            parts += [text[end : token.start()], _part(text, token)]
            end = token.end()
        parts.append(text[end:])
        return cls.joined(parts)

    @classmethod
    def joined(cls, parts: Iterable[str | Field]) -> Pattern:
        """The pattern of these texts and fields; neighbouring texts become one, and empty ones none."""
        joined: list[str | Field] = []
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            elif part:
                joined.append(part)
        return cls(tuple(joined))

    @classmethod
    def literal(cls, name: str) -> Pattern:
        """The pattern of exactly this name."""
        return cls((name,))

    def as_source(self) -> Pattern:
        """Itself, as a pattern of names that are there.

        Raises:
            RuleError: it can be read in several ways, or has an offset, which only a name that is made can have.
        """
        for one, other in pairwise((*self.parts, "")):
            if isinstance(one, Field) and one.offset:
                raise RuleError(
                    f"the source {show(self)} has an offset", hint=f"match {{{one.name}:d}}, and shift the target"
                )
            if all(isinstance(each, Field) and each.kind in KINDS for each in (one, other)):
                raise RuleError(
                    f"in the source {show(self)} nothing tells where {one} ends and {other} begins",
                    hint="put text between them, or give one its words: {kind:conv|norm}{i:d}",
                )
        if self._free_ends > MOST_FREE:
            raise RuleError(
                f"the source {show(self)} has too many fields whose ends only trying tells",
                hint="at most two match anything, or share a piece without a dot: say {i:d} or {leaf:weight|bias}",
            )
        return self

    @property
    def _free_ends(self) -> int:
        """How many fields may end at several places of a name: they match anything, or do not end their piece."""
        known: set[str] = set()
        free = in_piece = 0
        for part, after in pairwise((*self.parts, ".")):
            if isinstance(part, str):
                in_piece = 0 if "." in part else in_piece
            elif part.name not in known:
                known.add(part.name)
                in_piece += self.fields[part.name].kind == ""
                free += self._is_free(part, after, in_piece)
        anything = [isinstance(part, Field) and part.kind == "*" for part in self.parts]
        return max(free + sum(anything[:-1]), sum(anything))

    def _is_free(self, field: Field, after: str | Field, in_piece: int) -> int:
        """How many ends a field adds that only trying tells; the second of a piece, that of the first, too."""
        if self.fields[field.name].kind or in_piece < 2:
            return 0
        return (in_piece == 2) + (not _ends_piece(after))

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Its fields by name; where one is given twice, the one that says its kind."""
        fields: dict[str, Field] = {}
        for part in self.parts:
            if isinstance(part, Field) and (part.kind or part.name not in fields):
                fields[part.name] = part
        return fields

    def match(self, name: str) -> dict[str, str] | None:
        """What the fields stand for in a name, or None where the pattern does not match all of it."""
        if not self.fields:
            return {} if name == self.prefix else None
        if len(name) > LONGEST:
            return None
        found = self._regex.fullmatch(name)
        return found.groupdict() if found else None

    def fill(self, bindings: Bindings) -> str:
        """The name for these values of the fields.

        Raises:
            RuleError: a number is asked of a field that holds none, or it becomes negative.
        """
        return "".join(part if isinstance(part, str) else _filled(part, bindings) for part in self.parts)

    @cached_property
    def prefix(self) -> str:
        """How the names begin that it matches."""
        return self.parts[0] if self.parts and isinstance(self.parts[0], str) else ""

    @cached_property
    def inner(self) -> str:
        """The longest text within those names that does not vary."""
        return max((part for part in self.parts[1:] if isinstance(part, str)), key=len, default="")

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        seen: set[str] = set()
        pieces = []
        for part, after in pairwise((*self.parts, ".")):
            if isinstance(part, str):
                pieces.append(re.escape(part))
            elif part.name in seen:
                pieces.append(f"(?P={part.name})")
            else:
                seen.add(part.name)
                regex = self.fields[part.name].regex
                whole = regex == KINDS[""] and _ends_piece(after)
                pieces.append(f"(?P<{part.name}>{regex}{'+' if whole else ''})")
        return re.compile("".join(pieces), re.DOTALL)

    def __str__(self) -> str:
        """As it is written."""
        return "".join(
            part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else str(part) for part in self.parts
        )


def _ends_piece(after: str | Field) -> bool:
    """Whether a field ends where its piece does, by what follows it; nowhere else need be tried."""
    return isinstance(after, str) and after.startswith(".")


def _part(text: str, token: re.Match[str]) -> str | Field:
    if token[0] in ("{{", "}}"):
        return token[0][0]
    if token["name"] is None:
        raise RuleError(
            f"the pattern {show(text)} has a brace that is no field",
            hint="fields are {i:d}, {part}, {rest:*}, {leaf:weight|bias} and, in targets, {i+1}; double other braces",
        )
    kind = token["kind"] or ""
    if kind not in KINDS and "|" not in kind:
        raise RuleError(
            f"{show(token[0])} in the pattern {show(text)} is no kind of field",
            hint="{i:d} is a number, {part} a piece without a dot, {rest:*} anything, {leaf:weight|bias} one word",
        )
    return Field(token["name"], kind, int(token["offset"] or 0))


def _filled(field: Field, bindings: Bindings) -> str:
    value = bindings[field.name]
    if not field.offset:
        return value
    if not NUMBER.fullmatch(value) or int(value) + field.offset < 0:
        raise RuleError(
            f"{field} cannot be computed where {field.name} is {show(value)}",
            hint=f"match a number with {{{field.name}:d}} that is large enough",
        )
    return str(int(value) + field.offset)
