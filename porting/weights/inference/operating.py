"""Which operations make one shape of another, the most plausible first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import permutations

from porting.weights.inference.units import Shape, Unit
from porting.weights.rules.grouping import Stack, Unstack
from porting.weights.rules.layout import Permute, Reshape, Transpose
from porting.weights.rules.operation import Operation

Operations = tuple[Operation, ...]
MOST_DIMS = 5


def between(source: Unit, target: Unit) -> Iterator[Operations]:
    """The ways from one unit to another of as many elements."""
    before: Operations = (Stack(),) if source.is_list and not target.is_list else ()
    after: Operations = (Unstack(),) if target.is_list and not source.is_list else ()
    if source.is_list and target.is_list:
        ways = shaped(source.shape[1:], target.shape[1:])
    else:
        ways = shaped(source.shape, target.shape)
    yield from ((*before, *way, *after) for way in ways)


def shaped(one: Shape, other: Shape) -> Iterator[Operations]:
    """The ways from one shape to another: as it is, axes in another order, axes split or merged, or both."""
    if math.prod(one) != math.prod(other):
        return
    if one == other:
        yield ()
    yield from _permuted(one, other)
    if one != other and (_refines(one, other) or _refines(other, one)):
        yield (Reshape(*other, back=one),)
    if len(other) == 2 and len(one) > 2:
        turned = (other[1], other[0])
        if _refines(one, turned):
            yield (Reshape(*turned, back=one), Transpose())
    if len(one) == 2 and len(other) > 2:
        turned = (one[1], one[0])
        if _refines(other, turned):
            yield (Transpose(), Reshape(*other, back=turned))


def _permuted(one: Shape, other: Shape) -> Iterator[Operations]:
    """Orders of the axes that give the shape, those that move the fewest first."""
    if len(one) != len(other) or not 1 < len(one) <= MOST_DIMS or sorted(one) != sorted(other):
        if len(one) != len(other):
            yield from _squeezed(one, other)
        return
    plain = tuple(range(len(one)))
    orders = [axes for axes in permutations(plain) if axes != plain and tuple(one[axis] for axis in axes) == other]
    for axes in sorted(orders, key=lambda axes: sum(axis != at for at, axis in enumerate(axes))):
        yield (ordered(axes),)


def ordered(axes: Sequence[int]) -> Operation:
    """The operation that brings axes into this order."""
    moved = [at for at, axis in enumerate(axes) if axis != at]
    return Transpose(*moved) if len(moved) == 2 else Permute(*axes)


def _squeezed(one: Shape, other: Shape) -> Iterator[Operations]:
    """Axes of one left out or put in, the others in another order."""
    first, second = (tuple(size for size in shape if size != 1) for shape in (one, other))
    if first != second and sorted(first) == sorted(second) and 1 < len(first) <= MOST_DIMS:
        for way in _permuted(first, second):
            before: Operations = (Reshape(*first, back=one),) if first != one else ()
            after: Operations = (Reshape(*other, back=second),) if second != other else ()
            yield (*before, *way, *after)


def _refines(fine: Shape, coarse: Shape) -> bool:
    """Whether the axes of one shape are those of the other, some of them split."""
    rest = [size for size in fine if size != 1]
    for size in (size for size in coarse if size != 1):
        product = 1
        while product < size and rest:
            product *= rest.pop(0)
        if product != size:
            return False
    return not rest
