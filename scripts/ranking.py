"""What is found of the nearest architectures: real originals, renamed defaults, modified models, strange nets."""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import proofs
from nearest import named
from pairs import catalogue
from renaming import CHANGES, Shapes, changed, foreign, full, larger

from porting.nearest import Candidate, nearest_architectures
from porting.nearest.architectures import Architecture, Index, read_index


def add_options(group: argparse._ArgumentGroup) -> None:
    """How many architectures are renamed."""
    group.add_argument("--nearest-types", type=int, default=60, metavar="N")
    group.add_argument("--nearest-seed", type=int, default=0)


def rank(options: argparse.Namespace) -> None:
    """Print all five tables."""
    started = time.perf_counter()
    index = read_index()
    print(f"{len(index.architectures)} architectures of Transformers {index.version}, read in {since(started)}\n")
    originals()
    chance = random.Random(options.nearest_seed)  # noqa: S311 - a draw, no secret
    renamed(chance.sample(index.architectures, options.nearest_types))
    modified(index, chance, options.nearest_types)
    strange()
    proofs.built()


def since(started: float) -> str:
    """The time since then."""
    return f"{time.perf_counter() - started:.1f} s"


def originals() -> None:
    """The tests' real originals."""
    places = []
    for name in catalogue.NAMES:
        pair = catalogue.build(name)
        shapes = {key: tuple(value.shape) for key, value in pair.original.state_dict().items()}
        config: Any = pair.ported.config
        places.append(placed(name, shapes, config.model_type))
    tell("real originals", places)


def renamed(architectures: list[Architecture]) -> None:
    """Default models of other sizes under foreign names, q, k and v fused where they are three."""
    tell(
        "renamed defaults",
        [placed(each.model_type, foreign(larger(full(each))), each.model_type) for each in architectures],
    )


def placed(name: str, shapes: Shapes, model_type: str) -> tuple[int, bool, float]:
    """The place of the right model type, whether the first fits as well by shapes alone, and the time."""
    started = time.perf_counter()
    found = nearest_architectures(shapes, limit=10)
    seconds = time.perf_counter() - started
    types = [each.model_type for each in found]
    place = types.index(model_type) + 1 if model_type in types else 0
    tied = place != 1 and model_type in found[0].tied
    first = found[0]
    print(
        f"{name:34} place {place or '-':>2}{' (tied)' if tied else '       '} first {first.model_type:28} "
        f"{first.verdict:10} {first.placed}/{first.tensors} {first.filled}/{first.kinds} "
        f"ties {len(first.tied):2} {seconds:5.1f} s",
        flush=True,
    )
    return place, tied, seconds


def tell(what: str, places: list[tuple[int, bool, float]]) -> None:
    """How many are first, tied with the first, among the first three, and the times."""
    first = sum(place == 1 for place, _, _ in places)
    tied = sum(tied for _, tied, _ in places)
    three = sum(0 < place <= 3 for place, _, _ in places)
    either = sum(0 < place <= 3 or tied for place, tied, _ in places)
    times = sorted(seconds for _, _, seconds in places)
    print(
        f"\n{what}: of {len(places)}, {first} first, {tied} tied with the first, {three} among the first three "
        f"({either} with ties); median {times[len(times) // 2]:.1f} s, longest {times[-1]:.1f} s\n"
    )


def modified(index: Index, chance: random.Random, count: int) -> None:
    """Models with something more or less must not be called unmodified ones of their own architecture."""
    wrong, tried = [], 0
    repeating = [one for one in index.architectures if any(cell.times > 1 for cell in one.cells)]
    for each in chance.sample(repeating, count):
        for change in CHANGES:
            shapes = changed(each, change)
            if shapes is not None:
                tried += 1
                (found,) = nearest_architectures(shapes, limit=1, index=replace(index, architectures=(each,)))
                wrong += [f"{each.model_type} with {change}"] if found.verdict == "unmodified" else []
    print(
        f"modified models: of {tried}, {len(wrong)} are called unmodified{': ' if wrong else ''}{', '.join(wrong)}\n"
    )


def strange() -> None:
    """Invented checkpoints, and nets that Transformers has nothing like."""
    for make in (named.decoder, named.vision, named.experts, named.mixer, named.plain, named.perceptron):
        (found,) = nearest_architectures(make(), limit=1)
        print(f"{make.__name__:12} {line(found)}")


def line(found: Candidate) -> str:
    """A candidate in a line."""
    return f"{found.model_type:24} {found.statement()}"
