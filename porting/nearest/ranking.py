"""Which architectures are nearest to a checkpoint: every one is tried, the best are told."""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from porting.nearest.architectures import Architecture, Index, read_index
from porting.nearest.cells import Cell, Shape, cells_of
from porting.nearest.converting import converted_kinds
from porting.nearest.likely import likelihood
from porting.nearest.matching import WORDS, Match, largest, match
from porting.nearest.result import FAR, NEAR, UNMODIFIED, Candidate, lines_of
from porting.progress import Progress, silent
from porting.weights.inference.words import words

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
    cells = largest(cells_of(shapes))
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
        left=lines_of(
            [*((c, h) for c, _, f in found.pairs for h in f.left), *((c, h) for c in found.left for h in c.held)]
        ),
        empty=lines_of(found.missing),
        ways=_ways(found),
        heirs=architecture.heirs,
    )


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
