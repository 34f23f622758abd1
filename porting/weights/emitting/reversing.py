"""The operations that lead back from the port's tensors, with the lengths that are known from the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from porting.errors import RuleError
from porting.weights.emitting.prepared import Applied
from porting.weights.report import Spec
from porting.weights.rules.arithmetic import Cast
from porting.weights.rules.grouping import Concatenate, Split
from porting.weights.rules.layout import Flatten, Reshape, Unflatten
from porting.weights.rules.operation import Operation
from porting.weights.rules.steps import applied, empty, grouped

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class TwoWays:
    """What a rule does, and what undoes it.

    Attributes:
        there: its operations without casts: ``from_pretrained`` gives every tensor the dtype of the model's.
        back: what undoes them; None if nothing does.
        given: for each operation, the shapes that it is given; several where layers differ.
    """

    there: tuple[Operation, ...]
    back: tuple[Operation, ...] | None
    given: tuple[frozenset[Shapes], ...]


def two_ways(each: Applied, specs: Mapping[str, Spec], config: Any) -> TwoWays:
    """Find the way back of a rule; lengths that its operations do not say are those of this checkpoint."""
    there = tuple(operation for operation in each.rule.operations if not isinstance(operation, Cast))
    given = _given(each, there, specs, config)
    back = [_inverse(operation, shapes, config) for operation, shapes in zip(there, given, strict=True)]
    undone = tuple(operation for operation in reversed(back) if operation is not None)
    whole = len(undone) == len(there) and _leads_back(each, there, undone, specs, config)
    return TwoWays(there, undone if whole else None, given)


def _leads_back(
    each: Applied,
    there: Sequence[Operation],
    back: Sequence[Operation],
    specs: Mapping[str, Spec],
    config: Any,
) -> bool:
    """Whether lists and shapes are again what they were: a list that is concatenated is not."""
    operations = [operation.resolved(config) for operation in (*there, *back)]
    for tensors, lengths in _kinds(each, specs):
        before = grouped([empty(spec) for spec in tensors], lengths)
        try:
            after = applied(operations, before)
        except RuleError:
            return False
        if [[one.shape for one in group] for group in after] != [[one.shape for one in group] for group in before]:
            return False
    return True


def _kinds(each: Applied, specs: Mapping[str, Spec]) -> set[tuple[tuple[Spec, ...], tuple[int, ...]]]:
    """What the steps of a rule are given, each kind once."""
    return {(tuple(specs[name] for name in step.sources), step.lengths) for step in each.steps}


def _given(
    each: Applied, operations: Sequence[Operation], specs: Mapping[str, Spec], config: Any
) -> tuple[frozenset[Shapes], ...]:
    found: list[set[Shapes]] = [set() for _ in operations]
    resolved = [operation.resolved(config) for operation in operations]
    for tensors, lengths in _kinds(each, specs):
        groups = grouped([empty(spec) for spec in tensors], lengths)
        for place, operation in enumerate(resolved):
            found[place].add(tuple(tuple(tensor.shape) for group in groups for tensor in group))
            groups = operation.apply(groups)
    return tuple(frozenset(shapes) for shapes in found)


def _inverse(operation: Operation, given: frozenset[Shapes], config: Any) -> Operation | None:
    if isinstance(operation, Concatenate) and operation.sizes is None:
        return _apart(operation, given, config)
    if isinstance(operation, Flatten) and operation.sizes is None:
        sizes = {_between(shape, operation) for shapes in given for shape in shapes}
        return Unflatten(sizes.pop(), operation.start) if len(sizes) == 1 else None
    if isinstance(operation, Reshape) and operation.back is None:
        before = {shape for shapes in given for shape in shapes}
        return Reshape(*before.pop()) if len(before) == 1 else None
    return operation.inverse()


def _apart(operation: Concatenate, given: frozenset[Shapes], config: Any) -> Split | None:
    """Pieces of equal lengths where they are equal, else of those that they have."""
    number = operation.resolved(config)
    assert isinstance(number, Concatenate)
    lengths = {tuple(shape[operation.dim] // int(number.groups) for shape in shapes) for shapes in given}
    if all(len(set(each)) == 1 for each in lengths) and len({len(each) for each in lengths}) == 1:
        return Split(None, operation.dim, operation.groups, len(next(iter(lengths))))
    return Split(lengths.pop(), operation.dim, operation.groups) if len(lengths) == 1 else None


def _between(shape: tuple[int, ...], operation: Flatten) -> tuple[int, ...]:
    return shape[operation.start : operation.stop % len(shape) + 1]
