"""Operations against plain torch: on real tensors of any dtype, on tensors without data, and back."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from porting import weights
from porting.errors import RuleError
from porting.weights import (
    Add,
    Apply,
    At,
    Cast,
    Concatenate,
    Copy,
    Flatten,
    Flip,
    InsertZeros,
    Permute,
    PermuteRope,
    Reorder,
    Reshape,
    Scale,
    Slice,
    Split,
    Stack,
    Transpose,
    Unflatten,
    Unstack,
)
from porting.weights.rules.operation import Groups, Operation

Wanted = Callable[..., Any]
DTYPES = (
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "complex64",
    "int64",
    "uint8",
    "uint16",
    "bool",
    "float8_e4m3fn",
    "float8_e5m2",
)


def tensor_of(*shape: int, dtype: str = "float32") -> torch.Tensor:
    """Every byte pattern that the dtype allows."""
    wanted = getattr(torch, dtype)
    count = torch.Size(shape).numel() * wanted.itemsize
    raw = torch.randint(0, 2 if dtype == "bool" else 256, (count,), dtype=torch.uint8)
    return raw.view(wanted).reshape(shape)


def raw(tensor: torch.Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    flat = tensor.contiguous().reshape(-1)
    return tensor.dtype, tuple(tensor.shape), flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def rotated(tensor: torch.Tensor, heads: int, order: list[int]) -> torch.Tensor:
    """The rows of each head in this order."""
    size = len(order)
    return torch.cat([torch.stack([tensor[head * size + row] for row in order]) for head in range(heads)])


MOVES: list[tuple[Operation, list[tuple[int, ...]], Wanted]] = [
    (Transpose(), [(3, 5)], lambda a: [a.T]),
    (Transpose(1, -1), [(2, 3, 4)], lambda a: [a.transpose(1, 2)]),
    (Transpose(), [(0, 5)], lambda a: [a.T]),
    (Permute(3, 2, 0, 1), [(2, 3, 4, 5)], lambda a: [a.permute(3, 2, 0, 1)]),
    (Permute(), [()], lambda a: [a]),
    (Reshape(6, -1, back=(3, 4)), [(3, 4)], lambda a: [a.reshape(6, 2)]),
    (Reshape(-1, back=()), [()], lambda a: [a.reshape(1)]),
    (Flatten(sizes=(3, 2, 2)), [(4, 3, 2, 2)], lambda a: [a.reshape(4, 12)]),
    (Flatten(0, 1, (2, 3)), [(2, 3, 4)], lambda a: [a.reshape(6, 4)]),
    (Unflatten((3, 2, 2)), [(4, 12)], lambda a: [a.reshape(4, 3, 2, 2)]),
    (Unflatten((2, 3), dim=0), [(6,)], lambda a: [a.reshape(2, 3)]),
    (Flip(0), [(4, 2)], lambda a: [torch.stack([a[3], a[2], a[1], a[0]])]),
    (Flip(-1), [(1, 3)], lambda a: [a[:, [2, 1, 0]]]),
    (Split((2, 3, 1)), [(6, 4)], lambda a: [a[:2], a[2:5], a[5:]]),
    (Split(count=3, dim=-1), [(2, 6)], lambda a: [a[:, :2], a[:, 2:4], a[:, 4:]]),
    (Split((0, 2)), [(2,)], lambda a: [a[:0], a]),
    (Split((2, 1), groups=2), [(6, 3)], lambda a: [a[[0, 1, 3, 4]], a[[2, 5]]]),
    (Split(count=2, dim=1, groups=3), [(2, 6)], lambda a: [a[:, [0, 2, 4]], a[:, [1, 3, 5]]]),
    (Concatenate(count=2), [(2, 3), (2, 3)], lambda a, b: [torch.cat([a, b])]),
    (Concatenate(dim=-1, sizes=(3, 1)), [(2, 3), (2, 1)], lambda a, b: [torch.cat([a, b], 1)]),
    (Concatenate(groups=2, sizes=(2, 1)), [(4, 3), (2, 3)], lambda a, b: [torch.cat([a[:2], b[:1], a[2:], b[1:]])]),
    (Concatenate(sizes=(0, 2)), [(0,), (2,)], lambda a, b: [b]),
    (PermuteRope(2), [(8, 3)], lambda a: [rotated(a, 2, [0, 2, 1, 3])]),
    (PermuteRope(1, "pairs"), [(6,)], lambda a: [rotated(a, 1, [0, 3, 1, 4, 2, 5])]),
    (PermuteRope(2, rotary=4), [(12, 2)], lambda a: [rotated(a, 2, [0, 2, 1, 3, 4, 5])]),
    (At(1, Transpose()), [(2, 3), (4, 5)], lambda a, b: [a, b.T]),
    (Reorder(2, 0, 1), [(2,), (3,), (4,)], lambda a, b, c: [c, a, b]),
    (At(0, PermuteRope(1)), [(4,), (3,)], lambda a, b: [a[[0, 2, 1, 3]], b]),
]
"""Operations that move elements: with the shapes that they are given, and what torch makes of it; all lead back."""


def grouped(tensors: list[torch.Tensor]) -> Groups:
    return [[tensor] for tensor in tensors]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("operation", "shapes", "wanted"), MOVES)
def test_elements_are_moved_as_torch_would_and_back_bit_for_bit(
    operation: Operation, shapes: list[tuple[int, ...]], wanted: Wanted, dtype: str
) -> None:
    given = [tensor_of(*shape, dtype=dtype) for shape in shapes]
    found = operation.apply(grouped(given))
    assert [len(group) for group in found] == [1] * len(found)
    assert [raw(tensor) for (tensor,) in found] == [raw(tensor) for tensor in wanted(*given)]
    inverse = operation.inverse()
    assert inverse is not None
    assert [raw(tensor) for (tensor,) in inverse.apply(found)] == [raw(tensor) for tensor in given]
    assert operation.exact


@pytest.mark.parametrize(("operation", "shapes", "wanted"), MOVES)
def test_shapes_are_known_without_data(operation: Operation, shapes: list[tuple[int, ...]], wanted: Wanted) -> None:
    given = [torch.empty(shape, dtype=torch.bfloat16, device="meta") for shape in shapes]
    found = [(tensor.shape, tensor.dtype, tensor.is_meta) for (tensor,) in operation.apply(grouped(given))]
    real = wanted(*(torch.zeros(shape) for shape in shapes))
    assert found == [(tensor.shape, torch.bfloat16, True) for tensor in real]


@pytest.mark.parametrize("operation", list(dict.fromkeys(operation for operation, _, _ in MOVES)), ids=repr)
def test_an_operation_prints_the_python_that_makes_it_and_words(operation: Operation) -> None:
    ast.parse(repr(operation))
    assert eval(repr(operation), vars(weights)) == operation
    assert str(operation) not in ("", repr(operation))


def test_a_list_axis_is_stacked_and_taken_apart() -> None:
    experts = [[tensor_of(2, 3) for _ in range(4)] for _ in range(2)]
    for dim in (0, 1, -1):
        stacked = Stack(dim).apply(experts)
        assert [raw(tensor) for (tensor,) in stacked] == [raw(torch.stack(group, dim)) for group in experts]
        undone = Stack(dim).inverse().apply(stacked)
        assert [[raw(tensor) for tensor in group] for group in undone] == [list(map(raw, group)) for group in experts]
    assert Unstack(1).inverse() == Stack(1)


def test_one_tensor_is_given_to_several() -> None:
    tensor = tensor_of(2)
    assert [group[0] is tensor for group in Copy(3).apply([[tensor]])] == [True] * 3
    assert Copy(3).inverse() is None


def test_a_slice_is_kept() -> None:
    tensor = tensor_of(5, 3)
    assert raw(Slice(2).apply([[tensor]])[0][0]) == raw(tensor[2:])
    assert raw(Slice(stop=2, dim=1).apply([[tensor]])[0][0]) == raw(tensor[:, :2])
    assert Slice(2).inverse() is None
    for beyond in (Slice(5), Slice(0, 6), Slice(-1), Slice(3, 3)):
        with pytest.raises(RuleError, match="does not lie within"):
            beyond.apply([[tensor]])


def test_zeros_are_put_in() -> None:
    query, value = tensor_of(3, dtype="bfloat16"), tensor_of(3, dtype="bfloat16")
    found = InsertZeros(1).apply([[query], [value]])
    assert [raw(tensor) for (tensor,) in found] == [raw(query), raw(torch.zeros_like(query)), raw(value)]
    assert InsertZeros(0).inverse() is None
    with pytest.raises(RuleError, match="given 2"):
        InsertZeros(3).apply([[query], [value]])


def test_numbers_are_computed_in_their_own_dtype() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.complex64):
        tensor = torch.randn(3, 4, dtype=dtype)
        assert raw(Scale(0.3).apply([[tensor]])[0][0]) == raw(tensor * 0.3)
        assert raw(Add(-1).apply([[tensor]])[0][0]) == raw(tensor - 1)
    assert not Scale(2).exact
    assert not Add(1).exact


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8", "float8_e4m3fn"])
@pytest.mark.parametrize("operation", [Scale(0.5), Add(1)], ids=repr)
def test_nothing_is_computed_where_the_dtype_would_change(operation: Operation, dtype: str) -> None:
    for tensor in (tensor_of(2, dtype=dtype), tensor_of(2, dtype=dtype).to("meta")):
        with pytest.raises(RuleError, match=dtype) as caught:
            operation.apply([[tensor]])
        assert "Cast" in caught.value.hint


@pytest.mark.parametrize(("factor", "back"), [(4, 0.25), (-0.5, -2), (-1, -1), (3, None), (0, None), (0.1, None)])
def test_only_powers_of_two_scale_back(factor: float, back: float | None) -> None:
    assert Scale(factor).inverse() == (None if back is None else Scale(back))
    assert Add(1).inverse() is None


def test_a_dtype_is_given_by_name() -> None:
    tensor = torch.randn(4)
    assert raw(Cast("bfloat16").apply([[tensor]])[0][0]) == raw(tensor.bfloat16())
    for name in ("float33", "nn", "cuda"):
        with pytest.raises(RuleError, match="dtype"):
            Cast(name).apply([[tensor]])


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_weight_norm_is_folded_to_the_last_bit(dim: int, dtype: torch.dtype) -> None:
    conv = torch.nn.Conv1d(6, 8, 5, dtype=dtype)
    torch.nn.utils.parametrizations.weight_norm(conv, dim=dim)
    parametrized: Any = conv
    values = parametrized.parametrizations.weight
    values.original0.data *= 1.37
    given: Groups = [[values.original0.detach()], [values.original1.detach()]]
    assert raw(weights.FoldWeightNorm(dim).apply(given)[0][0]) == raw(conv.weight.detach())
    assert not weights.FoldWeightNorm().exact
    with pytest.raises(RuleError, match="g and v"):
        weights.FoldWeightNorm(dim).apply(given[:1])
    with pytest.raises(RuleError, match=r"takes g \[") as caught:
        weights.FoldWeightNorm(dim).apply(given[::-1])
    assert "g first" in caught.value.hint


def double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor * 2


def halve(tensor: torch.Tensor) -> torch.Tensor:
    return tensor / 2


def test_a_function_of_the_user_is_called_with_all_tensors() -> None:
    one, other = torch.randn(2, 3), torch.randn(2, 3)
    assert raw(Apply(torch.add).apply([[one], [other]])[0][0]) == raw(one + other)
    assert [raw(t) for (t,) in Apply(lambda t: (t, -t)).apply([[one]])] == [raw(one), raw(-one)]
    inverse = Apply(double, halve).inverse()
    assert inverse == Apply(halve, double)
    assert Apply(double).inverse() is None
    assert not Apply(double).exact


FAULTY: dict[str, Callable[..., Any]] = {
    "number": lambda tensor: 3,
    "none among them": lambda tensor: [tensor, None],
    "no arguments": lambda: None,
    "no such attribute": lambda tensor: tensor.nope,
}


@pytest.mark.parametrize("function", FAULTY.values(), ids=FAULTY)
def test_a_function_that_raises_or_gives_no_tensor_is_named(function: Callable[..., Any]) -> None:
    with pytest.raises(RuleError, match="lambda"):
        Apply(function).apply([[torch.zeros(2)]])


@pytest.mark.parametrize(
    ("operation", "shapes", "said"),
    [
        (Split((2, 3)), [(6,)], "into [2, 3]"),
        (Split(count=4), [(6,)], "cannot be split"),
        (Split(), [(6,)], "how many"),
        (Split((1, 1), groups=4), [(6,)], "4 groups of [1, 1]"),
        (Split((1, 1), dim=2), [(2, 2)], "asks for dimension 2"),
        (Split((1,)), [()], "asks for dimension 0"),
        (Split((1, 1)), [(2,), (2,)], "takes one tensor"),
        (Concatenate(sizes=(2, 2)), [(2,), (3,)], "[2, 3] along"),
        (Concatenate(groups=2), [(2,), (3,)], "not 2 groups"),
        (Concatenate(dim=1), [(2,), (2,)], "asks for dimension 1"),
        (Concatenate(), [()], "asks for dimension 0"),
        (PermuteRope(4), [(6,)], "no heads of pairs"),
        (PermuteRope(2), [(6,)], "no heads of pairs"),
        (PermuteRope(1, rotary=8), [(6,)], "no heads of pairs"),
        (PermuteRope(1, rotary=3), [(6,)], "no heads of pairs"),
        (PermuteRope(1), [()], "no heads of pairs"),
        (PermuteRope(1, "other"), [(6,)], "'halves' or 'pairs'"),  # type: ignore[arg-type]
        (Copy(2), [(2,), (2,)], "takes one tensor"),
        (At(2, Transpose()), [(2, 2), (2, 2)], "given 2 tensors"),
        (At(-1, Transpose()), [(2, 2)], "given 1 tensors"),
        (At(0, Split(count=2)), [(2, 2)], "makes 2 tensors of one"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(operation: Operation, shapes: list[tuple[int, ...]], said: str) -> None:
    for device in ("cpu", "meta"):
        with pytest.raises(RuleError, match=re.escape(said)):
            operation.apply(grouped([torch.empty(shape, device=device) for shape in shapes]))


def test_a_permutation_names_every_dimension() -> None:
    for dims in ((0, 2), (0, 0), (1,), (-1, 0)):
        with pytest.raises(RuleError, match="every dimension once"):
            Permute(*dims)


@pytest.mark.parametrize("operation", [Stack(), Concatenate()], ids=repr)
def test_tensors_of_several_dtypes_are_not_joined_in_silence(operation: Operation) -> None:
    tensors = [torch.ones(2), torch.ones(2, dtype=torch.bfloat16)]
    for given in ([tensors], [[tensor.to("meta") for tensor in tensors]]):
        with pytest.raises(RuleError, match="bfloat16 and float32") as caught:
            operation.apply(given)
        assert "Cast" in caught.value.hint


MISTAKEN: dict[str, tuple[Callable[[], Operation], str]] = {
    "Split(3)": (lambda: Split(3), "sizes are several numbers"),  # type: ignore[arg-type]
    "groups=0": (lambda: Split(groups=0), "groups is a positive number"),
    "groups=-2": (lambda: Concatenate(groups=-2), "groups is a positive number"),
    "count=0": (lambda: Split(count=0), "count is a positive number"),
    "heads=True": (lambda: PermuteRope(True), "heads is a positive number"),
    "heads=1.5": (lambda: PermuteRope(1.5), "heads is a positive number"),  # type: ignore[arg-type]
    "back=3": (lambda: Reshape(3, back=3), "back are several numbers"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("make", "said"), MISTAKEN.values(), ids=MISTAKEN)
def test_a_mistaken_number_is_refused_at_once(make: Callable[[], Operation], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        make()


def test_sequences_and_dtypes_are_taken_as_torch_takes_them() -> None:
    assert (Permute((1, 0)), Reshape([2, -1], back=[4])) == (Permute(1, 0), Reshape(2, -1, back=(4,)))
    assert (Split([1, 2]), Cast(torch.bfloat16)) == (Split((1, 2)), Cast("bfloat16"))  # type: ignore[arg-type]
