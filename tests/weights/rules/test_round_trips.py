"""Random rules on random tensors: there and back gives every byte again, and plans know every shape."""

from __future__ import annotations

import math
import random

import pytest
import torch

from porting.weights import (
    At,
    Concatenate,
    Convert,
    Flatten,
    Flip,
    Permute,
    PermuteRope,
    Rename,
    Reshape,
    Scale,
    Split,
    Stack,
    Transpose,
    Unflatten,
    Unstack,
    apply_rules,
)
from porting.weights.report import Spec
from porting.weights.rules.operation import Operation
from porting.weights.rules.planning import plan

DTYPES = (torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.float8_e4m3fn, torch.complex64)
State = dict[str, torch.Tensor]
Shape = tuple[int, ...]


def tensor_of(shape: Shape, dtype: torch.dtype, draw: random.Random) -> torch.Tensor:
    """Any bytes; in single precision, which is computed with, numbers that halving does not round."""
    if dtype is torch.float32:
        return torch.rand(shape, generator=torch.Generator().manual_seed(draw.randrange(999)))
    top = 2 if dtype is torch.bool else 256
    count = math.prod(shape) * dtype.itemsize
    return torch.tensor([draw.randrange(top) for _ in range(count)], dtype=torch.uint8).view(dtype).reshape(shape)


def moved(shape: Shape, draw: random.Random) -> tuple[Operation, Shape]:
    """An operation that suits a shape, and the shape after it."""
    dim = draw.randrange(len(shape))
    order = draw.sample(range(len(shape)), len(shape))
    a, b = draw.choice([(a, length // a) for length in [shape[dim]] for a in (1, 2, length) if length % a == 0])
    choices: list[Operation] = [
        Flip(dim),
        Permute(*order),
        Transpose(dim, order[0]),
        Reshape(-1, back=shape),
        Unflatten((a, b), dim),
        Flatten(0, -1, shape),
    ]
    choices += [
        PermuteRope(heads, layout)
        for heads in (1, 2, 3)
        if shape[0] % (2 * heads) == 0
        for layout in ("halves", "pairs")
    ]
    operation = draw.choice(choices)
    (result,) = operation.apply([[torch.empty(shape, device="meta")]])
    return operation, tuple(result[0].shape)


def chain(shape: Shape, draw: random.Random) -> tuple[list[Operation], Shape]:
    operations = []
    for _ in range(draw.randrange(4)):
        operation, shape = moved(shape, draw)
        operations.append(operation)
    return operations, shape


def one(name: str, draw: random.Random) -> tuple[Convert, dict[str, Shape]]:
    """One tensor by itself."""
    shape = tuple(draw.choice((1, 2, 3, 4, 6)) for _ in range(draw.randint(1, 4)))
    operations, _ = chain(shape, draw)
    return Convert(f"{name}.{{i:d}}", f"ported.{name}.{{i+3}}", *operations), {
        f"{name}.{i}": shape for i in (0, 2, 10)
    }


def fused(name: str, draw: random.Random) -> tuple[Convert, dict[str, Shape]]:
    """One tensor for several, or several for one, a part of them changed before or after."""
    groups, dim = draw.choice((1, 2, 3)), draw.randrange(2)
    sizes = tuple(draw.choice((1, 2, 4)) for _ in range(draw.randint(2, 4)))
    shapes = [[3, 3] for _ in sizes]
    for shape, size in zip(shapes, sizes, strict=True):
        shape[dim] = size * groups
    names = [f"{name}.{{i:d}}.{letter}" for letter, _ in zip("abcd", sizes, strict=False)]
    ported = [f"ported.{each}".replace(":d", "") for each in names]
    place = draw.randrange(len(sizes))
    part, _ = moved(tuple(shapes[place]), draw)
    whole: Shape = (sum(sizes) * groups, 3) if dim == 0 else (3, sum(sizes) * groups)
    if draw.random() < 0.5:
        rule = Convert(f"{name}.{{i:d}}", ported, Split(sizes, dim, groups), At(place, part))
        return rule, {f"{name}.{i}": whole for i in (1, 2)}
    operations, _ = chain(whole, draw)
    rule = Convert(names, f"ported.{name}.{{i}}", Concatenate(dim, groups, sizes), *operations)
    given = zip("abcd", shapes, strict=False)
    return rule, {f"{name}.{i}.{letter}": tuple(shape) for letter, shape in given for i in (1, 2)}


def experts(name: str, draw: random.Random) -> tuple[Convert, dict[str, Shape]]:
    """A list of tensors in one, or one as a list."""
    number, dim = draw.choice((1, 3, 12)), draw.randrange(3)
    ours, theirs = f"{name}.{{i:d}}.e.{{expert:d}}", f"ported.{name}.{{i}}"
    if draw.random() < 0.5:
        rule = Convert([f"{ours}.a", f"{ours}.b"], theirs, Stack(dim), Concatenate(draw.randrange(3)))
        return rule, {f"{name}.{i}.e.{e}.{part}": (2, 4) for part in "ab" for e in range(number) for i in (0, 11)}
    shape = [2, 2]
    shape.insert(dim, number)
    rule = Convert(f"{name}.{{i:d}}", f"{theirs}.e.{{expert}}", Unstack(dim))
    return rule, {f"{name}.{i}": tuple(shape) for i in (0, 11)}


def renamed(name: str, draw: random.Random) -> tuple[Convert, dict[str, Shape]]:
    """Only another name, and a factor that is exact."""
    operations = [Scale(draw.choice((0.5, -1, 4)))] if draw.random() < 0.3 else []
    rule: Convert = Rename(f"{name}.{{rest:*}}", f"{{rest}}.{name}")
    if operations:
        rule = Convert(f"{name}.{{rest:*}}", f"{{rest}}.{name}", *operations)
    return rule, {f"{name}.{end}": draw.choice([(), (0,), (2, 0, 3), (5,)]) for end in ("w", "x.y.z", "ä {")}


def raw(state: State) -> dict[str, tuple[torch.dtype, Shape, bytes]]:
    return {
        name: (tensor.dtype, tuple(tensor.shape), bytes(tensor.reshape(-1).view(torch.uint8).tolist()))
        for name, tensor in state.items()
    }


@pytest.mark.parametrize("seed", range(60))
def test_rules_and_their_inverses_give_back_every_byte(seed: int) -> None:
    draw = random.Random(seed)
    rules: list[Convert] = []
    state: State = {}
    for number in range(draw.randint(1, 6)):
        rule, shapes = draw.choice((one, fused, experts, renamed))(f"part{number}", draw)
        dtype = torch.float32 if any(isinstance(each, Scale) for each in rule.operations) else draw.choice(DTYPES)
        rules.append(rule)
        state |= {name: tensor_of(shape, dtype, draw) for name, shape in shapes.items()}
    mixed = draw.sample(list(state), len(state))
    there = apply_rules(rules, {name: state[name] for name in mixed})
    inverses = [rule.inverse() for rule in rules]
    assert None not in inverses
    assert raw(apply_rules(inverses, there)) == raw(state)
    specs = {name: Spec.of(tensor) for name, tensor in state.items()}
    foretold = {
        name: spec for step in plan(rules, specs).steps for name, spec in zip(step.targets, step.results, strict=True)
    }
    assert foretold == {name: Spec.of(tensor) for name, tensor in there.items()}
    assert sum(tensor.numel() for tensor in there.values()) == sum(tensor.numel() for tensor in state.values())
