"""Claims about single tensors as a few rules over patterns, which give exactly these claims again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from porting.weights.inference.claims import Claim
from porting.weights.inference.names import NUMBER, parted
from porting.weights.inference.units import Unit
from porting.weights.rules.patterns import Field, Pattern
from porting.weights.rules.rule import Convert, Drop, Rename, Rule

LETTERS = "ijklmnop"
LIST = "n"


@dataclass(frozen=True)
class Compact:
    """A rule and the claims that it stands for."""

    rule: Rule
    claims: tuple[Claim, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def literal(self) -> int:
        """How many fields there are: rules with fewer come first, as they are the narrower."""
        patterns = (self.rule.source,) if isinstance(self.rule, Drop) else self.rule.sources
        return sum(len(pattern.fields) for pattern in patterns)


@dataclass(frozen=True)
class _Row:
    """A claim as texts and numbers; ``axes`` are the places of list numbers, which vary within it."""

    claim: Claim
    sources: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[int, ...], ...]


def compacted(claims: Sequence[Claim]) -> list[Compact]:
    """The rules of claims, the narrower first."""
    groups: dict[object, list[_Row]] = defaultdict(list)
    for claim in claims:
        units = (*claim.sources, *claim.targets)
        kind = tuple((parted(unit.members[0])[0], _axis(unit)) for unit in units)
        row = _Row(claim, *(tuple(parted(u.members[0])[1] for u in side) for side in (claim.sources, claim.targets)))
        groups[kind, len(claim.sources), repr(claim.operations)].append(row)
    found = [each for rows in groups.values() for each in _rules(rows)]
    return sorted(_with_leaves(found), key=lambda each: each.literal)


def dropping(names: Sequence[str], reason: str) -> list[Compact]:
    """Rules that leave these names out."""
    units = [Unit(name, (), (name,)) for name in names]
    rules = compacted([Claim((unit,), (unit,)) for unit in units])
    return [
        Compact(Drop(each.rule.sources[0], reason), (), tuple(n for c in each.claims for n in c.source_names))
        for each in rules
        if isinstance(each.rule, Convert)
    ]


def _axis(unit: Unit) -> int | None:
    """At which of its numbers the members of a list differ."""
    if not unit.is_list:
        return None
    one, other = (parted(name)[1] for name in unit.members[:2])
    return next(at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)


def _rules(rows: Sequence[_Row]) -> Iterator[Compact]:
    rule = _rule(rows)
    if rule is not None:
        yield Compact(rule, tuple(row.claim for row in rows))
        return
    yield from (each for part in _parts(rows) for each in _rules(part))


def _parts(rows: Sequence[_Row]) -> list[list[_Row]]:
    """The rows apart by the number that has the fewest values."""
    values = {
        (side, at): {row.sources[side][at] for row in rows}
        for side in range(len(rows[0].sources))
        for at in range(len(rows[0].sources[side]))
    }
    varying = {place: found for place, found in values.items() if len(found) > 1}
    side, at = min(varying, key=lambda place: (len(varying[place]), place))
    parts: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        parts[row.sources[side][at]].append(row)
    return list(parts.values())


def _rule(rows: Sequence[_Row]) -> Convert | None:
    """One rule for all rows; None if their numbers do not go together so."""
    claim = rows[0].claim
    fields = _fields(rows)
    sources = [_pattern(rows, "sources", at, fields, own=True) for at in range(len(claim.sources))]
    targets = [_pattern(rows, "targets", at, fields, own=False) for at in range(len(claim.targets))]
    known = [each for each in (*sources, *targets) if each is not None]
    if len(known) < len(sources) + len(targets):
        return None
    told = set().union(*(set(pattern.fields) for pattern in known[len(sources) :])) - {LIST}
    if any(set(pattern.fields) - {LIST} != told for pattern in known):
        return None
    if not claim.operations:
        return Rename(known[0], known[1])
    return Convert(known[: len(sources)], known[len(sources) :], *claim.operations)


def _fields(rows: Sequence[_Row]) -> Mapping[tuple[int, ...], str]:
    """A letter for each series of numbers that the first source has, except the one that never changes."""
    axis = _axis(rows[0].claim.sources[0])
    columns = [column for at, column in enumerate(zip(*(row.sources[0] for row in rows), strict=True)) if at != axis]
    varying = dict.fromkeys(column for column in columns if len(set(column)) > 1)
    return dict(zip(varying, LETTERS, strict=False))


def _pattern(
    rows: Sequence[_Row], side: str, at: int, fields: Mapping[tuple[int, ...], str], *, own: bool
) -> Pattern | None:
    unit: Unit = getattr(rows[0].claim, side)[at]
    texts, axis = parted(unit.members[0])[0], _axis(unit)
    parts: list[str | Field] = [texts[0]]
    seen: set[str] = set()
    columns = zip(*(getattr(row, side)[at] for row in rows), strict=True)
    for place, (column, text) in enumerate(zip(columns, texts[1:], strict=True)):
        part = Field(LIST, "d" if own else "") if place == axis else _part(column, fields, own=own)
        if part is None:
            return None
        if isinstance(part, Field) and part.name in seen:
            part = Field(part.name, "", part.offset)
        seen |= {part.name} if isinstance(part, Field) else set()
        parts += [part, text]
    return Pattern.joined(parts)


def _part(column: tuple[int, ...], fields: Mapping[tuple[int, ...], str], *, own: bool) -> str | Field | None:
    """What stands for a series of numbers: a field, a field with an offset, or the number."""
    if column in fields:
        return Field(fields[column], "d" if own else "")
    if len(set(column)) == 1:
        return str(column[0])
    for series, letter in fields.items() if not own else ():
        if len({number - other for number, other in zip(column, series, strict=True)}) == 1:
            return Field(letter, "", column[0] - series[0])
    return None


def _with_leaves(rules: Sequence[Compact]) -> list[Compact]:
    """Rules that differ by the last word of all their names only, as one: ``{leaf:weight|bias}``."""
    groups: dict[object, list[tuple[str, Compact]]] = defaultdict(list)
    alone = []
    for each in rules:
        ends = _ends(each.rule)
        if ends is None:
            alone.append(each)
        else:
            groups[ends[1]].append((ends[0], each))
    return [*alone, *(found[0][1] if len(found) == 1 else _merged(found) for found in groups.values())]


def _ends(rule: Rule) -> tuple[str, object] | None:
    """The last word that all names of a rule share, and the rule without it."""
    if isinstance(rule, Drop) or any(list(pattern.fields) == ["leaf"] for pattern in rule.sources):
        return None
    split = [str(pattern).rpartition(".") for pattern in (*rule.sources, *rule.targets)]
    words = {end for _, _, end in split}
    word = words.pop()
    if words or not all(path for path, _, _ in split) or NUMBER.search(word) or "{" in word:
        return None
    return word, (tuple(path for path, _, _ in split), len(rule.sources), repr(rule.operations))


def _merged(found: Sequence[tuple[str, Compact]]) -> Compact:
    found = sorted(found, key=lambda each: ({"weight": 0, "bias": 1}.get(each[0], 2), each[0]))
    rule = found[0][1].rule
    assert isinstance(rule, Convert)
    words = "|".join(word for word, _ in found)
    sources = [f"{str(pattern).rpartition('.')[0]}.{{leaf:{words}}}" for pattern in rule.sources]
    targets = [f"{str(pattern).rpartition('.')[0]}.{{leaf}}" for pattern in rule.targets]
    made = Convert(sources, targets, *rule.operations) if rule.operations else Rename(sources[0], targets[0])
    return Compact(made, tuple(claim for _, each in found for claim in each.claims))


def unkept(claims: Sequence[Claim]) -> list[Claim]:
    """The claims that need a rule: those that are more than a name that is kept."""
    return [c for c in claims if c.operations or c.source_names != c.target_names]
