r"""Converters as Transformers applies them: to a part of a name, after all renamings.

What is around that part stays as it is, and the result is found by its text, without groups. So a rule's tensors first
get the place of the port's, with a last part of their own (``model.layers.3.attn.qkv.weight``); the converter then
knows that part alone (``attn.qkv.weight`` to ``self_attn.q_proj.weight``, …).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from porting.weights.emitting.prepared import Applied, Bindings
from porting.weights.emitting.renaming import LITERAL, Renaming, literal_text, renamings
from porting.weights.rules.patterns import Field, Pattern

EDGES = "._-/:"
"""What stands between the words of names."""

Accepted = Callable[[Sequence[str], Sequence[str]], bool]
"""Whether patterns may be a converter's: these, with the names that are to match them."""


@dataclass(frozen=True)
class Converter:
    """The patterns of a ``WeightConverter``."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Staged:
    """The renamings that a rule needs first, and its converters."""

    renamings: tuple[Renaming, ...]
    converters: tuple[Converter, ...]


@dataclass(frozen=True)
class Place:
    """The part of the targets that a converter makes, and what is around it.

    Attributes:
        before: the parts of the names in front of it.
        parts: the text of each target there.
        after: the parts behind it.
    """

    before: tuple[str | Field, ...]
    parts: tuple[str, ...]
    after: tuple[str | Field, ...]


def staged(each: Applied, level: int, accepted: Accepted) -> Staged:
    """What Transformers needs for a rule: one converter for all its applications, or one for each.

    Args:
        each: the rule.
        level: `GENERAL`, or how its names are written one by one.
        accepted: says which patterns are free.
    """
    varies = bool(each.rule.key) or any(each.rule.axes)
    place = _place(_numbered(each)) if level < LITERAL and varies else None
    if place is not None:
        for parts in _candidates(each, place):
            stages = [Pattern.joined((*place.before, *part, *place.after)) for part in parts]
            names = [name for stage, group in zip(stages, _found(each), strict=True) for name in _filled(stage, group)]
            sources = tuple("".join(p if isinstance(p, str) else "*" for p in part) for part in parts)
            if accepted(sources, names):
                lines = [
                    line
                    for source, stage, found in zip(each.rule.sources, stages, _found(each), strict=True)
                    for line in renamings(source, stage, found, level)
                ]
                return Staged(tuple(lines), (Converter(sources, place.parts),))
    return Staged((), tuple(_one_by_one(each)))


def _one_by_one(each: Applied) -> Iterator[Converter]:
    for step in each.steps:
        rest = iter(step.sources)
        sources = []
        for source, axis, length in zip(each.rule.sources, each.rule.axes, step.lengths, strict=True):
            names = [next(rest) for _ in range(length)]
            bindings = source.match(names[0]) or {}
            text = source.fill({**bindings, **({axis: "\0"} if axis else {})})
            sources.append("^" + literal_text(text).replace("\0\\.", "*.").replace("\0", "*"))
        yield Converter(tuple(sources), tuple("^" + literal_text(name) for name in step.targets))


def _numbered(each: Applied) -> list[Pattern]:
    """The targets, those along a list one by one."""
    if not any(each.rule.free):
        return list(each.rule.targets)
    step = each.steps[0]
    fixed = sum(free is None for free in each.rule.free)
    count = (len(step.targets) - fixed) // (len(each.rule.free) - fixed)
    found = []
    for target, free in zip(each.rule.targets, each.rule.free, strict=True):
        for number in range(count if free else 1):
            parts = [str(number) if isinstance(part, Field) and part.name == free else part for part in target.parts]
            found.append(Pattern.joined(parts))
    return found


def _place(targets: Sequence[Pattern]) -> Place | None:
    """The one text in which the targets differ; of one target, its last."""
    first = targets[0].parts
    if any(len(target.parts) != len(first) for target in targets):
        return None
    differing = [
        place
        for place, parts in enumerate(zip(*(target.parts for target in targets), strict=True))
        if len(set(parts)) > 1
    ]
    words = [place for place, part in enumerate(first) if isinstance(part, str) and re.search(r"\w", part)]
    place = differing[0] if differing else words[-1] if words else -1
    if len(differing) > 1 or place not in words:
        return None
    texts = [target.parts[place] for target in targets]
    parts = tuple(text for text in texts if isinstance(text, str))
    if len(parts) < len(texts):
        return None
    before, after = _edge(parts, 0), _edge(parts, -1)
    inner = tuple(text[len(before) : len(text) - len(after)] for text in parts)
    in_front, behind = Pattern.joined((*first[:place], before)), Pattern.joined((after, *first[place + 1 :]))
    return Place(in_front.parts, inner, behind.parts)


def _edge(texts: Sequence[str], end: int) -> str:
    """The dot that all begin or end with."""
    return "." if all(text[end] == "." and len(text) > 1 for text in texts) else ""


def _candidates(each: Applied, place: Place) -> Iterator[list[tuple[str | Field, ...]]]:
    """Texts for the sources in the same place: their own last words, all of them, and those marked."""
    behind = {part.name for part in place.after if isinstance(part, Field)}
    whole = [_words(source.parts, each.rule.key) for source in each.rule.sources]
    tails = [_tail(source.parts, each.rule.key, behind) for source in each.rule.sources]
    if all(tails) and all(_fields(tail) == _fields(words) for tail, words in zip(tails, whole, strict=True)):
        if all(any(isinstance(part, str) and "." in part for part in tail) for tail in tails):
            yield tails
        yield [_marked(tail) for tail in tails]
    yield whole
    marked = [_marked(words) for words in whole]
    yield marked
    yield [
        Pattern.joined(part.lower().replace("_", ".") if isinstance(part, str) else part for part in words).parts
        for words in marked
    ]


def _marked(words: Sequence[str | Field]) -> tuple[str | Field, ...]:
    """The words, with the number along a list as a piece of its own in front of them."""
    axis = [part for part in words if isinstance(part, Field)]
    rest = ".".join(part.strip(EDGES) for part in words if isinstance(part, str))
    return Pattern.joined(("original.", *(each for field in axis for each in (field, ".")), rest)).parts


def _tail(parts: Sequence[str | Field], key: Sequence[str], behind: set[str]) -> tuple[str | Field, ...]:
    """What comes after the last field that is in front of the place."""
    last = max(
        (
            n
            for n, part in enumerate(parts)
            if isinstance(part, Field) and part.name in key and part.name not in behind
        ),
        default=-1,
    )
    return _words(parts[last + 1 :], key)


def _words(parts: Sequence[str | Field], key: Sequence[str]) -> tuple[str | Field, ...]:
    """The parts without the fields that tell one application from another."""
    kept = [part for part in parts if isinstance(part, str) or part.name not in key]
    joined = list(Pattern.joined(kept).parts)
    if joined and isinstance(joined[0], str):
        joined[0] = joined[0].lstrip(EDGES)
    if joined and isinstance(joined[-1], str):
        joined[-1] = joined[-1].rstrip(EDGES)
    return tuple(re.sub(r"\.{2,}", ".", part) if isinstance(part, str) else part for part in joined if part)


def _fields(parts: Sequence[str | Field]) -> list[str]:
    return [part.name for part in parts if isinstance(part, Field)]


def _found(each: Applied) -> list[list[Bindings]]:
    """For each source, what its fields stand for in each name that it takes."""
    found: list[list[Bindings]] = [[] for _ in each.rule.sources]
    for step in each.steps:
        rest = iter(step.sources)
        for place, length in enumerate(step.lengths):
            found[place] += [each.rule.sources[place].match(next(rest)) or {} for _ in range(length)]
    return found


def _filled(stage: Pattern, found: Sequence[Bindings]) -> list[str]:
    return [stage.fill(bindings) for bindings in found]
