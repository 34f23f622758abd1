"""Operations of a rule as Transformers' own, where these do the same; else as steps of the emitted file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from porting.stubs.written import Call
from porting.weights.emitting.operations import step_of
from porting.weights.emitting.prepared import Applied
from porting.weights.emitting.reversing import TwoWays
from porting.weights.rules.arithmetic import FoldWeightNorm
from porting.weights.rules.grouping import Concatenate, Split, Stack, Unstack
from porting.weights.rules.layout import Flatten, PermuteRope, Transpose, Unflatten
from porting.weights.rules.operation import Operation
from porting.weights.rules.placing import At

BUFFERS = "Split asks the model's parameters for their lengths, and there are buffers among these."
OTHER = "Transformers has no operation, or no chain of its own ones, that does this."
REASONS: dict[type[Operation], str] = {
    PermuteRope: "PermuteForRope counts num_attention_heads for every tensor; this says how many a tensor has.",
    FoldWeightNorm: "Transformers has no operation that folds a weight norm.",
    Unstack: "SplitModulelist numbers its targets only when a model is saved; this does it at loading, too.",
    Split: "Split and Chunk cut a whole dimension; this cuts each of its groups.",
    Concatenate: "The way back of Concatenate is Chunk, for equal pieces only; this knows lengths and groups.",
}
"""Why Transformers' own operations are not right."""


class Transform(NamedTuple):
    """What a ``WeightConverter`` does.

    Attributes:
        operations: calls that make them.
        reason: why they are none of Transformers' own; empty where they are.
        steps: the operations that helpers of the file do, there and back.
    """

    operations: tuple[Call, ...]
    reason: str = ""
    steps: tuple[Operation, ...] = ()


def transform_of(
    each: Applied, ways: TwoWays, config: Any, *, own_rope: bool, parameters: Collection[str]
) -> Transform:
    """How a rule's operations are written.

    Args:
        each: the rule.
        ways: its operations, there and back.
        config: the port's.
        own_rope: whether rotary positions are left to ``PermuteForRope``, where it is right for the rule.
        parameters: of the port: ``Split`` asks them for their sizes, and knows no buffers.
    """
    calls = _stock(each, ways, config, own_rope=own_rope)
    asks = any(call.name == "Split" for call in calls or ())
    buffers = any(target not in parameters for step in each.steps for target in step.targets)
    if calls is not None and not (asks and buffers):
        return Transform(tuple(calls))
    keywords: dict[str, Any] = {"steps": [step_of(operation) for operation in ways.there]}
    lists = _lists(each)
    if ways.back is not None:
        keywords["back"] = [step_of(operation) for operation in ways.back]
        keywords |= {"lists": lists} if lists else {}
    reason = BUFFERS if asks and buffers else _reason(ways.there)
    return Transform((Call("TensorSteps", (), keywords),), reason, (*ways.there, *(ways.back or ())))


def rope_is_own(rules: Sequence[tuple[Applied, TwoWays]], config: Any) -> bool:
    """Whether ``PermuteForRope`` is right for every rule that has to do with rotary positions."""
    ropes = [(each, ways) for each, ways in rules if any(isinstance(step, PermuteRope) for step in ways.there)]
    return bool(ropes) and all(_rope(each, ways.there, config) is not None for each, ways in ropes)


def _reason(operations: Sequence[Operation]) -> str:
    """Why Transformers' own operations are not right for these."""
    plain = [operation.operation if isinstance(operation, At) else operation for operation in operations]
    special = {type(operation) for operation in plain if not isinstance(operation, (Split, Concatenate))}
    special |= {type(each) for each in plain if isinstance(each, (Split, Concatenate)) and each.groups != 1}
    special |= {Concatenate} & ({type(each) for each in plain} if len(plain) == 1 else set())
    return next((reason for kind, reason in REASONS.items() if kind in special), OTHER)


def _lists(each: Applied) -> list[int] | None:
    """How many tensors each target pattern stands for, where one stands for a list."""
    if not any(each.rule.free):
        return None
    step = each.steps[0]
    total, fixed = len(step.targets), sum(free is None for free in each.rule.free)
    listed = (total - fixed) // (len(each.rule.free) - fixed)
    return [1 if free is None else listed for free in each.rule.free]


def _stock(each: Applied, ways: TwoWays, config: Any, *, own_rope: bool) -> list[Call] | None:
    operations = ways.there
    kinds = tuple(type(operation) for operation in operations)
    if any(each.rule.free) or (any(each.rule.axes) and Stack not in kinds):
        return None
    single = len(each.rule.sources) == 1
    if kinds in ((Split,), (Transpose, Split)) and single:
        return _split(operations, each)
    if kinds == (Concatenate,):
        return _concatenate(ways)
    if kinds == (Stack,) and single and all(each.rule.axes):
        return [Call("MergeModulelist", (), {"dim": _dim(operations[0])})]
    if kinds == (Stack, Concatenate) and all(each.rule.axes) and not single:
        joined = _concatenate(ways)
        return joined and [Call("MergeModulelist", (), {"dim": _dim(operations[0])}), *joined]
    if kinds == (Transpose,) and single:
        return [_transpose(operations[0])]
    if kinds == (PermuteRope,) and own_rope:
        return _rope(each, operations, config)
    return _patches(ways, config) if len(operations) == 1 else None


def _split(operations: Sequence[Operation], each: Applied) -> list[Call] | None:
    split = operations[-1]
    assert isinstance(split, Split)
    if split.groups != 1:
        return None
    turned = [_transpose(operation) for operation in operations[:-1]]
    equal = all(len({spec.shape[split.dim] for spec in step.results}) == 1 for step in each.steps)
    return [*turned, Call("Chunk" if equal else "Split", (), {"dim": split.dim})]


def _concatenate(ways: TwoWays) -> list[Call] | None:
    """Concatenate, where the way back is one into equal pieces."""
    joined, apart = ways.there[-1], ways.back[0] if ways.back else None
    assert isinstance(joined, Concatenate)
    if joined.groups != 1 or not isinstance(apart, Split) or apart.sizes is not None:
        return None
    return [Call("Concatenate", (), {"dim": joined.dim})]


def _transpose(operation: Operation) -> Call:
    assert isinstance(operation, Transpose)
    return Call("Transpose", (), {"dim0": operation.dim0, "dim1": operation.dim1})


def _dim(operation: Operation) -> int:
    assert isinstance(operation, Stack)
    return operation.dim


def _rope(each: Applied, operations: Sequence[Operation], config: Any) -> list[Call] | None:
    """PermuteForRope, where every head of the tensor is a query's and all of its rows are rotated."""
    if len(operations) != 1 or len(each.rule.sources) > 1:
        return None
    rope = operations[0].resolved(config)
    assert isinstance(rope, PermuteRope)
    few = all(len(step.results[0].shape) <= 2 for step in each.steps)
    if rope.rotary is not None or rope.heads != getattr(config, "num_attention_heads", 1) or not few:
        return None
    return [Call("PermuteForRope", (), {} if rope.to == "halves" else {"inverse": True})]


def _patches(ways: TwoWays, config: Any) -> list[Call] | None:
    """A kernel over three dimensions as a linear layer, or the other way."""
    operation = ways.there[0].resolved(config)
    back = ways.back[0].resolved(config) if ways.back else None
    if isinstance(operation, Flatten) and (operation.start, operation.stop) == (1, -1):
        sizes, name, dims = getattr(back, "sizes", ()), "Conv3dToLinear", 5
    elif isinstance(operation, Unflatten) and operation.dim == 1:
        sizes, name, dims = operation.sizes, "LinearToConv3d", 2
    else:
        return None
    known = tuple(sizes or ())
    if len(known) != 4 or any(len(shape) != dims for shapes in ways.given[0] for shape in shapes):
        return None
    return [Call(name, (), {"in_channels": known[0], "kernel_size": known[1:]})]
