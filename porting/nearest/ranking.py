"""Which architectures are nearest to a checkpoint: every one is tried, the best are told."""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from porting.nearest.architectures import Architecture, Index, read_index
from porting.nearest.cells import Cell, Held, Shape, cells_of
from porting.nearest.converting import converted_kinds
from porting.nearest.fitting import Binding, Fit, agreement, fit, fit_with
from porting.nearest.likely import likelihood, likeness
from porting.nearest.result import FAR, LINES, NEAR, UNMODIFIED, Candidate
from porting.progress import Progress, silent
from porting.text import show
from porting.weights.inference.words import SYNONYMS, words

NUMBER = re.compile(r"(?<![^.])\d+(?=\.|$)")
KNOWN = frozenset(SYNONYMS) - {"vision"}
FIRST_SETTING = 2
MOST_CELLS = 60
"""Blocks of either side that are tried, the largest ones."""
LIKE = 3.0
"""How many times as many tensors a block may have as one that it is held against."""
MOST_PAIRS = 5
"""Blocks of an architecture into which each of the checkpoint's is tried to fit, the likeliest ones."""
NEAR_SHARE = 0.75
"""Share of both sides that makes them near."""
TRIED, WORTH = 48, 0.8
"""Architectures that are tried: how many, and how likely beside the likeliest one."""
TABLES = {"vocab": "token", "position": "position"}
"""Settings that are the length of a table, and what the table's name says."""
DEPTH, HEADS = re.compile("layer|depth"), re.compile(r"heads?$|_id$|^num_key|groups")
"""Settings that count blocks, and settings that no shape tells."""
WAYS = {
    "split": "tensors are split into several",
    "joined": "tensors are joined from several",
    "resized": "tensors have sizes that the default config does not tell apart",
}
RESIZED = 0.5
"""How much a tensor of another size counts beside one of the same."""
WORDS = 0.2
"""How much the names count beside the shapes."""


@dataclass(frozen=True)
class Match:
    """How a checkpoint fits into an architecture.

    Attributes:
        architecture: that is tried.
        pairs: blocks of both with how they fit.
        left: blocks of the checkpoint without a place.
        empty: blocks of the architecture that nothing fills.
    """

    architecture: Architecture
    pairs: tuple[tuple[Cell, Cell, Fit], ...]
    left: tuple[Cell, ...]
    empty: tuple[Cell, ...]

    @property
    def placed(self) -> int:
        """Tensors of the checkpoint with a place."""
        return sum(source.times * found.placed for source, _, found in self.pairs)

    @property
    def filled(self) -> int:
        """Kinds of tensors of the architecture that are filled: those of lists of blocks count once."""
        return len(self._filled)

    @property
    def kinds(self) -> int:
        """How many kinds it has, without optional ones that are not filled."""
        return self.filled + len({_kind(cell, held) for cell, held in self.missing})

    @property
    def missing(self) -> list[tuple[Cell, Held]]:
        """Tensors of the architecture that must be there, and nothing fills them or others of their kind."""
        empty = [
            *((cell, held) for _, cell, found in self.pairs for held in found.empty if _needed(held, found)),
            *((cell, held) for cell in self.empty for held in cell.held if not held.optional),
        ]
        return [(cell, held) for cell, held in empty if _kind(cell, held) not in self._filled]

    @cached_property
    def _filled(self) -> set[str]:
        return {
            _kind(target, held) for _, target, found in self.pairs for each in found.placings for held in each.targets
        }

    @property
    def names(self) -> float:
        """0 to 1: how much names agree."""
        found = [
            (source.times, agreement(_said(source, one), _said(target, other)))
            for source, target, each in self.pairs
            for placing in each.placings
            for one, other in zip(placing.sources, placing.targets, strict=False)
        ]
        total = sum(times for times, _ in found)
        return sum(times * score for times, score in found) / total if total else 0.0


def _needed(held: Held, found: Fit) -> bool:
    """Whether a tensor must be there: it always is, or others are that go with it."""
    if held.optional < FIRST_SETTING:
        return not held.optional
    return any(each.optional == held.optional for placing in found.placings for each in placing.targets)


def _said(cell: Cell, held: Held) -> str:
    """A name without a first part that says nothing but whose model it is."""
    first, _, rest = (f"{cell.path}.{held.name}" if cell.path else held.name).partition(".")
    return rest if rest and not any(word in KNOWN for word in words(first)) else f"{first}.{rest}"


def _kind(cell: Cell, held: Held) -> str:
    """A tensor's name in whichever block of a list; what stands outside may be in a list of its own."""
    return f"{NUMBER.sub('*', cell.path)} {held.name}" if cell.path else NUMBER.sub("*", held.name)


def nearest_architectures(
    shapes: Mapping[str, Shape], *, limit: int = 5, index: Index | None = None, progress: Progress = silent
) -> tuple[Candidate, ...]:
    """The architectures of the installed Transformers that a checkpoint is nearest to, the nearest first.

    Structure decides: what repeats, of which shapes in relation to each other; names tell apart what shapes cannot.

    Args:
        shapes: of the checkpoint's tensors, by name.
        limit: how many to give.
        index: the architectures to try; None for those of the installed Transformers.
        progress: called as the work goes on.

    Returns:
        ``limit`` candidates; none for a checkpoint without tensors.
    """
    cells = _largest(cells_of(shapes))
    architectures = (read_index(progress) if index is None else index).architectures
    total = sum(cell.total for cell in cells)
    if not total:
        return ()
    likely = _likely(cells, architectures)
    matches = []
    for number, architecture in enumerate(likely):
        progress("comparing with the architectures of Transformers", number, len(likely))
        matches.append(match(cells, architecture))
    best = sorted(matches, key=lambda each: -_score(each, total))
    found = _ordered([_candidate(each, total) for each in best])
    return tuple(
        replace(each, tied=_tied(each, found), converted=converted_kinds(each.model_type, shapes))
        for each in found[:limit]
    )


def _likely(cells: Sequence[Cell], architectures: Sequence[Architecture]) -> list[Architecture]:
    """Those that are worth trying."""
    scored = [(likelihood(cells, each.cells), at) for at, each in enumerate(architectures)]
    best = heapq.nlargest(TRIED, scored)
    return [architectures[at] for score, at in best if score >= WORTH * best[0][0]]


def _ordered(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best first; those that neither shapes nor names tell apart by how many models are derived from them."""

    def rank(each: Candidate) -> tuple[object, ...]:
        share = round(each.placed_share + each.filled_share, 2) + WORDS * round(each.names, 1)
        return each.verdict != UNMODIFIED, -share, -each.heirs, len(each.model_type), each.model_type

    return sorted(candidates, key=rank)


def match(cells: Sequence[Cell], architecture: Architecture) -> Match:
    """Fit the blocks of a checkpoint into those of an architecture, each into one, the best first."""
    sources, targets = [c for c in cells if c.path], _largest([c for c in architecture.cells if c.path])
    scored = sorted(
        (
            (_cell_score(source, target), -at, -other)
            for at, source in enumerate(sources)
            for other, target in _likeliest(source, targets)
        ),
        reverse=True,
    )
    pairs: list[tuple[Cell, Cell, Fit]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, less, lesser in scored:
        at, other = -less, -lesser
        if at not in taken[0] and other not in taken[1]:
            taken[0].add(at)
            taken[1].add(other)
            pairs.append((sources[at], targets[other], fit(sources[at], targets[other])))
    left = [source for at, source in enumerate(sources) if at not in taken[0]]
    pairs += [(source, *same) for source in left if (same := _same(source, pairs)) is not None]
    placed = {id(source) for source, _, _ in pairs}
    left = [source for source in left if id(source) not in placed]
    empty = [target for other, target in enumerate(targets) if other not in taken[1]]
    pairs += _outside(cells, architecture.cells, pairs, left, empty)
    return Match(architecture, tuple(pairs), tuple(left), tuple(empty))


def _outside(
    cells: Sequence[Cell],
    targets: Sequence[Cell],
    pairs: Sequence[tuple[Cell, Cell, Fit]],
    left: list[Cell],
    empty: list[Cell],
) -> list[tuple[Cell, Cell, Fit]]:
    """How what stands outside of blocks fits; what has no counterpart goes to ``left`` or ``empty``."""
    source = next((cell for cell in cells if not cell.path), None)
    target = next((cell for cell in targets if not cell.path), None)
    if source and target:
        ordered = sorted(pairs, key=lambda pair: -pair[0].total)
        bindings: list[Binding] = [found.binding for _, _, found in ordered]
        return [(source, target, fit_with(source, target, bindings))]
    left += [source] if source else []
    empty += [target] if target else []
    return []


def _same(source: Cell, pairs: Sequence[tuple[Cell, Cell, Fit]]) -> tuple[Cell, Fit] | None:
    """The block that a further one is wholly, too."""
    for _, target, _ in pairs:
        found = fit(source, target)
        if not found.left and not any(not held.optional for held in found.empty):
            return target, found
    return None


def _likeliest(source: Cell, targets: Sequence[Cell]) -> list[tuple[int, Cell]]:
    """The blocks with their numbers into which one may fit."""
    sized = [
        (at, target) for at, target in enumerate(targets) if 1 / LIKE <= len(source.held) / len(target.held) <= LIKE
    ]
    return heapq.nlargest(MOST_PAIRS, sized, key=lambda pair: likeness(source, pair[1]))


def _cell_score(source: Cell, target: Cell) -> float:
    return fit(source, target).share * min(len(source.held), len(target.held)) + WORDS * agreement(
        source.path, target.path
    )


def _largest(cells: Sequence[Cell]) -> list[Cell]:
    if len(cells) <= MOST_CELLS:
        return list(cells)
    kept = set(heapq.nlargest(MOST_CELLS, range(len(cells)), key=lambda at: (not cells[at].path, cells[at].total)))
    return [cell for at, cell in enumerate(cells) if at in kept]


def _score(found: Match, total: int) -> float:
    return found.placed / total + found.filled / max(found.kinds, 1) + WORDS * found.names


def _candidate(found: Match, total: int) -> Candidate:
    architecture, placed, filled, kinds = found.architecture, found.placed, found.filled, found.kinds
    share = min(placed / total, filled / max(kinds, 1))
    return Candidate(
        model_type=architecture.model_type,
        class_name=architecture.class_name,
        verdict=UNMODIFIED if placed == total and filled == kinds else NEAR if share >= NEAR_SHARE else FAR,
        placed=placed,
        tensors=total,
        filled=filled,
        kinds=kinds,
        names=found.names,
        config=_config(found),
        left=_lines(
            [*((c, h) for c, _, f in found.pairs for h in f.left), *((c, h) for c in found.left for h in c.held)]
        ),
        empty=_lines(found.missing),
        ways=_ways(found),
        heirs=architecture.heirs,
    )


def _lines(held: Sequence[tuple[Cell, Held]]) -> tuple[str, ...]:
    lines = []
    for cell, each in held[:LINES]:
        name = f"{cell.path}.{each.name}" if cell.path else each.name
        lines.append(f"{show(name, 80)} {show(each.shape, 60)}")
    return (*lines, *([f"and {len(held) - LINES} more"] if len(held) > LINES else []))


def _ways(found: Match) -> tuple[str, ...]:
    counts = Counter(placing.how for source, _, each in found.pairs for placing in each.placings)
    return tuple(f"{counts[how]} kinds of {text}" for how, text in WAYS.items() if counts[how])


def _config(found: Match) -> dict[str, int]:
    """Values for the config: of its numbers that are a size or a length of a list in the architecture."""
    sizes: dict[int, Counter[int]] = defaultdict(Counter)
    depths: dict[int, Counter[int]] = defaultdict(Counter)
    tables: dict[str, dict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for source, target, each in found.pairs:
        for size, values in each.binding.items():
            sizes[size][values[0]] += len(target.held)
        for placing in each.placings if not target.path else ():
            for name, kind in TABLES.items():
                if kind in words(placing.targets[0].name) and placing.targets[0].dims and placing.sources[0].dims:
                    tables[name][max(placing.targets[0].shape)][max(placing.sources[0].shape)] += 1
        depths[target.times][source.times] += 1 if target.times > 1 else 0
    config = {}
    for name, value in found.architecture.sizes.items():
        last = name.rpartition(".")[2]
        known = next((tables[kind] for kind in TABLES if kind in last), depths if DEPTH.search(last) else sizes)
        if value in known and not HEADS.search(last):
            config[name] = known[value].most_common(1)[0][0]
    return config


def _tied(one: Candidate, found: Sequence[Candidate]) -> tuple[str, ...]:
    """The model types that fit as well as one does."""
    return tuple(each.model_type for each in found if each is not one and _structure(each) == _structure(one))


def _structure(each: Candidate) -> tuple[int, ...]:
    return (each.placed,) if each.verdict == UNMODIFIED else (each.placed, each.filled, each.kinds)
