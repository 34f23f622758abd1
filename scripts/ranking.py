"""What is found of the nearest architectures: real originals, renamed defaults, modified models, strange nets."""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from nearest import named
from pairs import catalogue

from porting.nearest import Candidate, nearest_architectures
from porting.nearest.architectures import Architecture, Index, read_index
from porting.nearest.cells import Cell, Shape

Shapes = dict[str, Shape]
FOREIGN = (
    ("gate_up_proj", "w13"),
    ("self_attn", "attention"),
    ("attention.self", "mha"),
    ("layernorm", "ln"),
    ("layer_norm", "ln"),
    ("LayerNorm", "ln"),
    ("embed_tokens", "tok_emb"),
    ("embeddings", "emb"),
    ("encoder.layers", "encoder.blocks"),
    ("encoder.layer.", "enc.blocks."),
    ("model.layers", "blocks"),
    ("fc1", "c_fc"),
    ("fc2", "c_proj"),
    ("gate_proj", "w1"),
    ("down_proj", "w2"),
    ("up_proj", "w3"),
    ("o_proj", "wo"),
)
"""What Transformers says, and what others do."""
LARGE = 24
FUSED = ("q_proj", "k_proj", "v_proj")


def add_options(group: argparse._ArgumentGroup) -> None:
    """How many architectures are renamed."""
    group.add_argument("--nearest-types", type=int, default=60, metavar="N")
    group.add_argument("--nearest-seed", type=int, default=0)


def rank(options: argparse.Namespace) -> None:
    """Print all four tables."""
    started = time.perf_counter()
    index = read_index()
    print(f"{len(index.architectures)} architectures of Transformers {index.version}, read in {since(started)}\n")
    originals()
    chance = random.Random(options.nearest_seed)  # noqa: S311 - a draw, no secret
    renamed(chance.sample(index.architectures, options.nearest_types))
    modified(index, chance, options.nearest_types)
    strange()


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
        [placed(each.model_type, foreign(full(each)), each.model_type) for each in architectures],
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


def full(architecture: Architecture) -> Shapes:
    """The tensors of an architecture without the optional ones."""
    return {
        name: held.shape
        for cell in architecture.cells
        for held in cell.held
        if not held.optional
        for name in names(cell, held.name)
    }


def names(cell: Cell, name: str) -> Iterator[str]:
    """The names of a block's tensor in all its repetitions."""
    for number in range(cell.times):
        yield f"{cell.path.replace('*', str(number), 1)}.{name}" if cell.path else name


def foreign(shapes: Mapping[str, Shape]) -> Shapes:
    """The same under other names, one level deeper, half as large again, with q, k and v as one."""
    found: Shapes = {}
    shapes = {name: larger(shape) for name, shape in shapes.items()}
    for name, shape in shapes.items():
        part = next((part for part in FUSED if f".{part}." in name), None)
        siblings = [shapes.get(name.replace(f".{part}.", f".{other}.")) for other in FUSED] if part else []
        if part and all(each is not None and each[1:] == shape[1:] for each in siblings):
            whole = (sum(each[0] for each in siblings if each), *shape[1:])
            found.setdefault(other_name(name.replace(f".{part}.", ".qkv.")), whole)
        else:
            found[other_name(name)] = shape
    return found


def larger(shape: Shape) -> Shape:
    """Sizes that are no default's; those of kernels and lists stay."""
    return tuple(size * 3 // 2 if size >= LARGE and size % 2 == 0 else size for size in shape)


def other_name(name: str) -> str:
    """A name as somebody else may have it."""
    for theirs, other in FOREIGN:
        name = name.replace(theirs, other)
    return f"net.{name}"


CHANGES = ("an extra norm", "another bias", "an added matrix", "a norm less")


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


def changed(architecture: Architecture, change: str) -> Shapes | None:
    """An architecture's tensors with a change in every block of its largest list; None where it has no place."""
    cell = max((each for each in architecture.cells if each.times > 1), key=lambda each: each.total)
    shapes = full(architecture)
    norms = [held for held in cell.held if re.search(r"norm\w*\.weight$", held.name, re.IGNORECASE)]
    matrices = [held for held in cell.held if held.name.endswith(".weight") and len(held.dims) == 2]
    own = {held.name for held in cell.held}
    if change == "a norm less" and norms and not norms[0].optional:
        return {name: shape for name, shape in shapes.items() if name not in set(names(cell, norms[0].name))}
    if change == "an extra norm" and norms:
        return shapes | dict.fromkeys(names(cell, "further_norm.weight"), norms[0].shape)
    if change == "an added matrix" and matrices:
        return shapes | dict.fromkeys(names(cell, "adapter.weight"), matrices[0].shape)
    bare = [held for held in matrices if held.name.removesuffix("weight") + "bias" not in own]
    if change == "another bias" and bare:
        name = bare[0].name.removesuffix("weight") + "bias"
        return shapes | dict.fromkeys(names(cell, name), (bare[0].shape[0],))
    return None


def strange() -> None:
    """Invented checkpoints, and nets that Transformers has nothing like."""
    for make in (named.decoder, named.vision, named.experts, named.mixer, named.plain, named.perceptron):
        (found,) = nearest_architectures(make(), limit=1)
        print(f"{make.__name__:12} {line(found)}")


def line(found: Candidate) -> str:
    """A candidate in a line."""
    return f"{found.model_type:24} {found.statement()}"
