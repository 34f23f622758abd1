"""What one comparison of two tensors must see, whatever a naive check would let pass."""

from __future__ import annotations

import math

import pytest
import torch

from porting.comparison import TensorComparison, compare_tensors
from porting.tolerance import Tolerance

NAN, INF = math.nan, math.inf


def compare(original: object, ported: object, atol: float = 1e-3, rtol: float = 1e-3) -> TensorComparison:
    one = original if isinstance(original, torch.Tensor) else torch.tensor(original)
    other = ported if isinstance(ported, torch.Tensor) else torch.tensor(ported)
    return compare_tensors(one, other, Tolerance(atol, rtol))


def test_equal_tensors_differ_by_nothing() -> None:
    numbers = compare([1.0, -2.0, 0.0], [1.0, -2.0, 0.0])
    assert numbers.allclose
    assert (numbers.max_abs, numbers.max_rel, numbers.relative_l2, numbers.required) == (0.0, 0.0, 0.0, 0.0)
    assert numbers.cosine == pytest.approx(1.0)


def test_figures_of_a_known_difference() -> None:
    numbers = compare([3.0, 4.0], [3.0, 4.5])
    assert not numbers.allclose
    assert numbers.max_abs == pytest.approx(0.5)
    assert numbers.max_rel == pytest.approx(0.125)
    assert numbers.relative_l2 == pytest.approx(0.1)
    assert numbers.required == pytest.approx(0.5 / 5)
    assert numbers.worst == (1,)
    assert numbers.values_at_worst == (4.0, 4.5)


def test_the_required_tolerance_passes_and_less_does_not() -> None:
    torch.manual_seed(0)
    original = torch.randn(50)
    ported = original + 0.01 * torch.randn(50)
    required = compare(original, ported).required
    assert compare(original, ported, required * 1.0001, required * 1.0001).allclose
    assert not compare(original, ported, required * 0.999, required * 0.999).allclose


@pytest.mark.parametrize(
    ("one", "other"), [((1, 4), (4,)), ((3, 1), (3, 4)), ((4,), ()), ((0, 3), (1, 3)), ((2, 3), (3, 2))]
)
def test_shapes_are_never_broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    numbers = compare(torch.ones(one), torch.ones(other))
    assert not numbers.allclose
    assert not numbers.comparable


@pytest.mark.parametrize(
    ("original", "ported", "allclose"),
    [
        ([1.0, NAN], [1.0, NAN], True),
        ([1.0, NAN], [1.0, 2.0], False),
        ([1.0, 2.0], [1.0, NAN], False),
        ([1.0, INF], [1.0, INF], True),
        ([1.0, INF], [1.0, -INF], False),
        ([1.0, INF], [1.0, NAN], False),
        ([1.0, 2.0], [INF, 2.0], False),
    ],
)
def test_nan_and_inf_must_sit_at_the_same_places(original: list[float], ported: list[float], allclose: bool) -> None:
    numbers = compare(original, ported)
    assert numbers.allclose is allclose
    assert (numbers.max_abs == INF) is not allclose


@pytest.mark.parametrize(("original", "ported"), [([NAN, NAN], [NAN, NAN]), ([], []), ([INF], [INF])])
def test_nothing_compared_is_no_evidence(original: list[float], ported: list[float]) -> None:
    numbers = compare(original, ported)
    assert not numbers.allclose
    assert not numbers.comparable


def test_a_mask_that_selects_nothing_is_no_evidence() -> None:
    numbers = compare_tensors(torch.ones(2, 2), torch.ones(2, 2), Tolerance(), torch.zeros(2, 2, dtype=torch.bool))
    assert not numbers.comparable
    assert not numbers.allclose
    assert numbers.masked == 4


def test_only_valid_places_count() -> None:
    mask = torch.tensor([True, False])
    numbers = compare_tensors(torch.tensor([1.0, 2.0]), torch.tensor([1.0, NAN]), Tolerance(), mask)
    assert numbers.allclose
    assert (numbers.elements, numbers.masked) == (1, 1)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_integers_and_booleans_must_be_equal(dtype: torch.dtype) -> None:
    original = torch.tensor([0, 1, 1], dtype=dtype)
    ported = torch.tensor([0, 1, 0], dtype=dtype)
    assert compare(original, original, 10.0, 10.0).allclose
    assert not compare(original, ported, 10.0, 10.0).allclose


def test_large_integers_are_compared_exactly() -> None:
    assert not compare(torch.tensor([2**53]), torch.tensor([2**53 + 1])).allclose
    most = torch.tensor([2**64 - 1], dtype=torch.uint64)
    assert compare(most, most.clone()).allclose
    assert not compare(most, torch.tensor([2**64 - 2], dtype=torch.uint64)).allclose
    assert not compare(torch.tensor([2**24 + 1]), torch.tensor([2.0**24])).allclose


def test_bytes_do_not_wrap_around() -> None:
    numbers = compare(torch.tensor([1], dtype=torch.uint8), torch.tensor([2], dtype=torch.uint8))
    assert numbers.max_abs == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precisions_are_compared_in_float64_and_named(dtype: torch.dtype) -> None:
    numbers = compare(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0], dtype=dtype))
    assert numbers.allclose
    assert numbers.dtypes == ("float32", str(dtype).removeprefix("torch."))


def test_complex_tensors_differ_by_their_parts() -> None:
    assert compare(torch.tensor([1 + 2j]), torch.tensor([1 + 2j])).allclose
    assert compare(torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])).allclose
    assert not compare(torch.tensor([1 + 2j]), torch.tensor([1 - 2j])).allclose


def test_the_tolerance_is_relative_to_the_original() -> None:
    assert compare([2.0], [1.0], 0.0, 0.5).allclose
    assert not compare([1.0], [2.0], 0.0, 0.5).allclose


def test_cosine_is_accurate_on_large_tensors() -> None:
    torch.manual_seed(0)
    original = torch.randn(1 << 21) + 1
    numbers = compare(original, original * (1 + 1e-6))
    assert numbers.cosine == pytest.approx(1.0, abs=1e-9)


def test_a_difference_in_a_late_slice_is_found() -> None:
    original = torch.zeros(3, 1 << 18)
    ported = original.clone()
    ported[2, 77] = 1.0
    assert compare(original, ported).worst == (2, 77)


def test_the_json_form_has_no_infinity() -> None:
    figures = compare([1.0], [INF]).to_dict()
    assert figures["max_abs"] is None
    assert figures["nonfinite"] == 1
