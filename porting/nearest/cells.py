"""What repeats in a model: its blocks, each once with how often it is there, and what stands outside of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from porting.weights.inference.leaving import COMPUTED
from porting.weights.inference.words import leaf, words

Shape = tuple[int, ...]
NUMBERED = re.compile(r"(.*?)_?(\d{1,8})")
DIGITS = re.compile(r"(?<=[._/])\d+(?=[._/]|$)")
LONGEST, DEEPEST = 400, 40
"""Characters and levels of a name that are read."""
MOST_NAMES = 400_000
"""Tensors of a checkpoint that are looked at."""
MOST_HELD = 600
"""Tensors of a block that are looked at."""
MANY = 3
"""Members of a list inside a block from which they are one tensor, as experts are."""
NOTHING: Mapping[str, int] = MappingProxyType({})


@lru_cache(maxsize=1 << 16)
def _dims(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor of a block.

    Attributes:
        name: within the block, ``*`` for the numbers of a list.
        shape: a list's length comes first.
        optional: 0 for a tensor that is always there, else a number for what decides: some of the architecture's
            classes (1), or a setting.
    """

    name: str
    shape: Shape
    optional: int = 0

    @property
    def dims(self) -> Shape:
        """Its dimensions without those of one."""
        return _dims(self.shape)


@dataclass(frozen=True, eq=False)
class Cell:
    """A block, equal to itself alone.

    Attributes:
        path: where it is, ``*`` for its number; empty for what stands outside of all blocks.
        times: how often it is there.
        held: its tensors.
        more: how many further ones it has, that are not looked at.
    """

    path: str
    times: int
    held: tuple[Held, ...]
    more: int = 0

    @property
    def total(self) -> int:
        """How many tensors, of all its repetitions."""
        return self.times * (len(self.held) + self.more)


@dataclass
class _Node:
    shape: Shape | None = None
    children: dict[str, _Node] = field(default_factory=dict)
    count: int = 0
    optional: int = 0


def cells_of(shapes: Mapping[str, Shape], optional: Mapping[str, int] = NOTHING) -> tuple[Cell, ...]:
    """The blocks of a model by the names and shapes of its tensors; what stands outside comes last.

    Buffers that models compute themselves are left out, and so is what counts and averages of batch norms say twice.

    Args:
        shapes: by tensor name; of very many the first `MOST_NAMES`.
        optional: `Held.optional` of those that not every class or setting of an architecture has, by name.
    """
    root = _Node()
    for _, (name, shape) in zip(range(MOST_NAMES), shapes.items(), strict=False):
        if not computed(DIGITS.sub("0", name[-LONGEST:])):
            _insert(root, name, shape, optional=optional.get(name, 0))
    outside: list[Held] = []
    found = tuple(_cells(root, "", outside))
    return (*found, _cell("", 1, outside)) if outside else found


def are_told_apart(names: Collection[str]) -> bool:
    """Whether `cells_of` has a place of its own for each name: they are not too many, too long, too deep or alike."""
    return len(names) <= MOST_NAMES and len({tuple(_pieces(name)) for name in names}) == len(names)


def _pieces(name: str) -> list[str]:
    return re.split(r"[./]", name[-LONGEST:])[-DEEPEST:]


def _cell(path: str, times: int, held: Sequence[Held]) -> Cell:
    return Cell(path, times, tuple(held[:MOST_HELD]), max(len(held) - MOST_HELD, 0))


@lru_cache(maxsize=1 << 16)
def computed(name: str) -> bool:
    """Whether a name is that of a buffer that models compute themselves."""
    found = set(words(name))
    return leaf(name) == "count" or any(telling <= found for telling in COMPUTED)


def _insert(root: _Node, name: str, shape: Shape, *, optional: int) -> None:
    node = root
    node.count += 1
    for piece in _pieces(name):
        node = node.children.setdefault(piece, _Node())
        node.count += 1
    node.shape, node.optional = tuple(shape), optional


def _cells(node: _Node, path: str, outside: list[Held]) -> Iterator[Cell]:
    if node.shape is not None:
        outside.append(Held(path, node.shape, node.optional))
    lists = _lists(node)
    listed = {name for group in lists for members in group for name in members}
    for name in (name for name in node.children if name not in listed):
        yield from _cells(node.children[name], _under(path, name), outside)
    for group in lists:
        for members in group:
            first = node.children[members[0]]
            if len(members) > 1:
                yield _cell(_under(path, _starred(members[0])), len(members), list(_flat(first, "")))
            elif first.count > MANY and (_siblings_repeat(group) or not _repeats(first)):
                yield _cell(_under(path, members[0]), 1, list(_flat(first, "")))
            else:
                yield from _cells(first, _under(path, members[0]), outside)


def _lists(node: _Node) -> list[list[list[str]]]:
    """The numbered children that make lists, each list in groups of equal members."""
    stems: dict[str, list[str]] = defaultdict(list)
    for name in node.children:
        found = NUMBERED.fullmatch(name)
        if found:
            stems[found[1]].append(name)
    return [_grouped(node, names) for stem, names in stems.items() if _is_list(node, stem, names)]


def _is_list(node: _Node, stem: str, names: list[str]) -> bool:
    """Whether numbered children are a list: by their numbers alone, or as several whole blocks."""
    return not stem or (len(names) >= MANY and all(_is_block(node.children[name]) for name in names))


def _is_block(node: _Node) -> bool:
    return node.count > MANY and any(child.children for child in node.children.values())


def _grouped(node: _Node, names: list[str]) -> list[list[str]]:
    groups: dict[object, list[str]] = defaultdict(list)
    for name in names:
        groups[_signature(node.children[name])].append(name)
    return [part for group in groups.values() for part in _whole(node, group)]


def _whole(node: _Node, group: list[str]) -> list[list[str]]:
    """A group of blocks as it is; single tensors are none, and stand for themselves."""
    return [group] if node.children[group[0]].count > 1 else [[name] for name in group]


def _signature(node: _Node) -> object:
    return node.shape, frozenset((name, _signature(child)) for name, child in node.children.items())


def _siblings_repeat(group: list[list[str]]) -> bool:
    return any(len(members) > 1 for members in group)


def _repeats(node: _Node) -> bool:
    """Whether there is a list of blocks in it: a single one, or several that are alike."""
    lists = [[name for members in group for name in members] for group in _lists(node)]
    inner = any(_blocks([node.children[name] for name in names]) for names in lists)
    return inner or any(_repeats(child) for child in node.children.values())


def _blocks(nodes: list[_Node]) -> bool:
    large = [set(_names(node)) for node in nodes if node.count > MANY]
    if len(nodes) == 1:
        return bool(large)
    return any(len(one & other) * 2 >= min(len(one), len(other)) for one, other in pairwise(large))


def _names(node: _Node, path: str = "") -> Iterator[str]:
    if node.shape is not None:
        yield path
    for name, child in node.children.items():
        yield from _names(child, _under(path, name))


def _flat(node: _Node, path: str) -> Iterator[Held]:
    """The tensors of a block, those of its lists of equal members as one each."""
    if node.shape is not None:
        yield Held(path, node.shape, node.optional)
    gone: set[str] = set()
    for group in _lists(node):
        for members in group:
            if len(members) >= MANY:
                gone.update(members)
                inner = _flat(node.children[members[0]], _under(path, _starred(members[0])))
                yield from (Held(one.name, (len(members), *one.shape), one.optional) for one in inner)
    for name, child in node.children.items():
        if name not in gone:
            yield from _flat(child, _under(path, name))


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _starred(name: str) -> str:
    return re.sub(r"\d+$", "*", name)
