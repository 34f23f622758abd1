"""What differs between the calls of two traces, and between the tensors that went in and came out."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from porting.trace.address import address_of, label_of
from porting.trace.changes import Change, content_changes, field_changes, same_fact
from porting.trace.parts import Leaf
from porting.trace.words import leaf_words

if TYPE_CHECKING:
    from porting.trace.model import Trace
    from porting.trace.parts import Call, Value

_ALL = Leaf("valid", type_name="every position counts")


def common_calls(one: Trace, other: Trace) -> list[Call]:
    """The calls of the first trace that the second has too: of the same step, path and repeat."""
    return [call for call in one.calls if call.key in other.by_key]


def call_changes(one: Trace, other: Trace) -> Iterator[Change]:
    """Calls removed and added, in another order, of another class or origin."""
    for call in one.calls:
        if call.key not in other.by_key:
            yield Change(label_of(one, call), "removed", call.class_name, None)
    for call in other.calls:
        if call.key not in one.by_key:
            yield Change(label_of(other, call), "added", None, call.class_name)
    yield from _order_changes(one, other)
    yield from _origin_changes(one, other)


def _order_changes(one: Trace, other: Trace) -> Iterator[Change]:
    """The fewest calls that must be moved for the orders to be the same; their places among the common calls."""
    common = common_calls(one, other)
    place = {call.key: number for number, call in enumerate(c for c in other.calls if c.key in one.by_key)}
    kept = set(_longest_rise([place[call.key] for call in common]))
    for number, call in enumerate(common):
        if place[call.key] not in kept:
            yield Change(label_of(one, call), "order", number, place[call.key])


def _longest_rise(numbers: Sequence[int]) -> list[int]:
    """The longest ascending subsequence of numbers that are all different (patience sorting)."""
    tops: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        pile = bisect_left(tops, number)
        before[number] = tops[pile - 1] if pile else None
        tops[pile : pile + 1] = [number]
    rise: list[int] = []
    last = tops[-1] if tops else None
    while last is not None:
        rise.append(last)
        last = before[last]
    return rise


def _origin_changes(one: Trace, other: Trace) -> Iterator[Change]:
    """Calls of another class, from another thread, or made from another call."""
    for call in common_calls(one, other):
        twin, label = other.by_key[call.key], label_of(one, call)
        yield from field_changes(label, call, twin, {"class_name": "class", "thread": "thread"})
        parents = [trace.parent_of(each) for trace, each in ((one, call), (other, twin))]
        keys, labels = ([getattr(each, name, None) for each in parents] for name in ("key", "label"))
        if keys[0] != keys[1]:
            yield Change(label, "parent", *labels)


def leaf_changes(one: Trace, call: Call, other: Trace, twin: Call) -> Iterator[Change]:
    """Leaves of two calls that differ in what they are, in shape, dtype or content."""
    for part in ("inputs", "outputs", "gradients"):

        def address(leaf: Leaf, part: str = part) -> str:
            return address_of(one, call, part, leaf)

        yield from _values(one, getattr(call, part), other, getattr(twin, part), address)


def run_leaf_changes(one: Trace, other: Trace) -> Iterator[Change]:
    """Leaves of what the runs were given and returned that differ, and the positions that count."""
    yield from _values(one, one.inputs, other, other.inputs, lambda leaf: _run_address("inputs", leaf))
    yield from _values(one, one.outputs, other, other.outputs, lambda leaf: _run_address("outputs", leaf))
    yield from _leaf(":run.valid", one, one.valid_leaf or _ALL, other, other.valid_leaf or _ALL)


def _run_address(part: str, leaf: Leaf) -> str:
    return f":run.{part}.{leaf.name}" if leaf.name else f":run.{part}"


def _values(
    one: Trace, left: Value | None, other: Trace, right: Value | None, address: Callable[[Leaf], str]
) -> Iterator[Change]:
    """The differences of two nested values, leaf by leaf, by name."""
    mine, theirs = _by_name(left), _by_name(right)
    for key in dict.fromkeys((*mine, *theirs)):
        if key not in mine or key not in theirs:
            words = [leaf_words(leaves[key]) if key in leaves else None for leaves in (mine, theirs)]
            yield Change(address(mine.get(key) or theirs[key]), "added" if key not in mine else "removed", *words)
        else:
            yield from _leaf(address(mine[key]), one, mine[key], other, theirs[key])
    if left and right and mine.keys() == theirs.keys() and left.structure != right.structure:
        yield Change(
            address(Leaf("")), "structure", *(value.structure.get("class", "leaf") for value in (left, right))
        )


def _by_name(value: Value | None) -> dict[tuple[str, int], Leaf]:
    """Leaves by name, and how many of that name came before."""
    found: dict[tuple[str, int], Leaf] = {}
    counts: Counter[str] = Counter()
    for leaf in value.leaves if value else ():
        found[leaf.name, counts[leaf.name]] = leaf
        counts[leaf.name] += 1
    return found


def _leaf(place: str, one: Trace, left: Leaf, other: Trace, right: Leaf) -> Iterator[Change]:
    if (left.tensor is None) != (right.tensor is None) or left.type_name != right.type_name:
        yield Change(place, "recorded as", leaf_words(left), leaf_words(right))
        return
    sums = [trace.checksum(leaf.tensor) if leaf.tensor else None for trace, leaf in ((one, left), (other, right))]
    yield from content_changes(place, (left.dtype, left.shape, sums[0]), (right.dtype, right.shape, sums[1]))
    if left.shape == right.shape and left.strides != right.strides:
        yield Change(place, "strides", *(leaf.strides and list(leaf.strides) for leaf in (left, right)))
    if not same_fact(left.value, right.value):
        yield Change(place, "value", left.value, right.value)
