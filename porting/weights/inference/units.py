"""One side of a matching: its tensors, and lists of equal ones (experts) as one."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from porting.weights.inference.names import DEEPEST, LONGEST, Numbers, lengths, parents, ranks
from porting.weights.inference.words import leaf, words

Shape = tuple[int, ...]
ALONE = re.compile(r"(?:(?<=\.)|^)\d+(?=\.|$)")
POST_ATTENTION = re.compile(r"post_(?:self_)?att(?:entio)?n_?(?:layer_?norm|rms_?norm|norm|ln)")


@dataclass(frozen=True, slots=True)
class Unit:
    """A tensor, or several that are one along a list axis.

    Attributes:
        name: of the tensor, as the model calls it; of the first of several.
        shape: its own; that of a list with its length first.
        members: the names in the file or the model, in the order of their numbers.
        owner: name of the class of the module that owns it; empty for a checkpoint's.
    """

    name: str
    shape: Shape
    members: tuple[str, ...]
    owner: str = ""

    @property
    def dims(self) -> Shape:
        """Its dimensions without those of one."""
        return tuple(size for size in self.shape if size != 1)

    @property
    def key(self) -> Shape:
        """What tensors share that hold the same up to the order of their dimensions."""
        return tuple(sorted(self.dims))

    @property
    def numel(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    @property
    def is_list(self) -> bool:
        """Whether it is several tensors."""
        return len(self.members) > 1


class Side:
    """The tensors of one side in their order, with what is known of each."""

    def __init__(self, units: Iterable[Unit]) -> None:
        """Index them."""
        self.units = tuple(units)
        self.ranks: Mapping[str, Numbers] = ranks(unit.name for unit in self.units)
        self.lengths: Mapping[str, Numbers] = lengths(unit.name for unit in self.units)

    @cached_property
    def blocks(self) -> Mapping[Shape, list[Unit]]:
        """The units by their `Unit.key`."""
        found: dict[Shape, list[Unit]] = defaultdict(list)
        for unit in self.units:
            found[unit.key].append(unit)
        return found

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """The names as their words are read, with 0 for every number that stands alone.

        Without norms after the feed-forward part, that after attention is the one before it.
        """
        kinds = {unit.name: ALONE.sub("0", unit.name) for unit in self.units}
        if any("secondpost" in words(kind) for kind in dict.fromkeys(kinds.values())):
            return kinds
        return {name: POST_ATTENTION.sub("ffn_norm", kind) for name, kind in kinds.items()}

    @cached_property
    def rarity(self) -> Mapping[str, float]:
        """How much each word tells: the fewer kinds of names have it, the more."""
        kinds = set(self.kinds.values())
        counts: dict[str, int] = defaultdict(int)
        for kind in kinds:
            for word in set(words(kind)):
                counts[word] += 1
        total = max(len(kinds), 1)
        return {word: math.log(1 + total / count) for word, count in counts.items()}

    @cached_property
    def beside(self) -> Mapping[str, tuple[tuple[str, Shape], ...]]:
        """For each unit what else its module holds: `Unit.key` by role, where one tensor has this role."""
        modules: dict[str, dict[str, list[Unit]]] = defaultdict(lambda: defaultdict(list))
        for unit in self.units:
            modules[unit.name.rpartition(".")[0]][leaf(unit.name)].append(unit)
        return {
            unit.name: tuple(
                (role, held[0].key)
                for role, held in sorted(modules[unit.name.rpartition(".")[0]].items())
                if role in ("weight", "bias") and held != [unit] and len(held) == 1
            )
            for unit in self.units
        }

    @cached_property
    def turn(self) -> Mapping[str, tuple[int, int]]:
        """Which of how many a unit is among those of its layer with its shape and role of leaf."""
        groups: dict[object, list[str]] = defaultdict(list)
        for unit in self.units:
            groups[scope(unit.name), unit.dims, leaf(unit.name)].append(unit.name)
        return {name: (at, len(names)) for names in groups.values() for at, name in enumerate(names)}


def scope(name: str) -> str:
    """The path of the outermost numbered module around a tensor, or nothing."""
    numbered = [path for path in parents(name) if path.rsplit(".", 1)[-1].isdigit()]
    return numbered[-1] if numbered else ""


def folded(units: Sequence[Unit], lengths: Iterable[int]) -> list[Unit]:
    """The units with inner lists of equal members, as experts are, each as one if its length is among ``lengths``.

    A list is inner if its path has a number above it.
    """
    wanted = set(lengths)
    joined: dict[str, Unit] = {}
    gone: set[str] = set()
    for numbers in _lists(units):
        if len(numbers) in wanted:
            for rest in next(iter(numbers.values())):
                members = [numbers[number][rest] for number in sorted(numbers)]
                names = tuple(member.name for member in members)
                if not gone.intersection(names):
                    held = tuple(name for member in members for name in member.members)
                    joined[names[0]] = Unit(names[0], (len(names), *members[0].shape), held, members[0].owner)
                    gone |= set(names)
    return [joined.get(unit.name, unit) for unit in units if unit.name in joined or unit.name not in gone]


def list_lengths(units: Sequence[Unit]) -> set[int]:
    """How long the inner lists of equal members are."""
    return {len(numbers) for numbers in _lists(units)}


def _lists(units: Sequence[Unit]) -> list[Mapping[int, Mapping[str, Unit]]]:
    """The inner lists of equal members: by number, the rest of the name and the unit."""
    lists: dict[str, dict[int, dict[str, Unit]]] = defaultdict(lambda: defaultdict(dict))
    for unit in units:
        for above, number, rest in _splits(unit.name):
            lists[above][number][rest] = unit
    return [numbers for numbers in lists.values() if len(numbers) > 1 and _even(numbers)]


def _splits(name: str) -> Iterable[tuple[str, int, str]]:
    pieces = name.split(".", DEEPEST)
    seen = 0
    for at, piece in enumerate(pieces if len(pieces) < DEEPEST else ()):
        if piece.isascii() and piece.isdigit() and len(piece) <= LONGEST:
            if seen:
                yield ".".join(pieces[:at]), int(piece), ".".join(pieces[at + 1 :])
            seen += 1


def _even(numbers: Mapping[int, Mapping[str, Unit]]) -> bool:
    """Whether all members of a list have the same tensors of the same shapes."""
    shapes = {tuple(sorted((rest, unit.shape) for rest, unit in tensors.items())) for tensors in numbers.values()}
    return len(shapes) == 1 and sorted(numbers) == list(range(len(numbers)))
