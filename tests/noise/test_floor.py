"""The noise floor: what rounding alone explains."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tracing import returned

from porting.comparison import TensorComparison, compare_tensors
from porting.noise.floor import FACTOR, ULPS, Floor, floor_of, noise_warnings
from porting.tolerance import Tolerance

UNIT = torch.finfo(torch.float32).eps / 2


def numbers(difference: float, dtype: torch.dtype = torch.float32, elements: int = 9) -> TensorComparison:
    original = torch.ones(elements, dtype=dtype)
    ported = original.clone()
    ported[0] += difference
    return compare_tensors(original, ported, Tolerance())


def test_the_floor_is_the_measured_rounding() -> None:
    floor = floor_of(numbers(1e-5), (2e-6, 3e-6), Tolerance(), exact=False)
    assert floor == Floor(2e-6, 3e-6)
    assert floor.ratio(numbers(1e-5)) == pytest.approx(5, rel=0.01)


def test_few_elements_may_round_by_little_by_luck() -> None:
    floors = [
        floor_of(numbers(1e-6, elements=count), (1e-6, 1e-6), Tolerance(), exact=False) for count in (1, 2, 4, 9)
    ]
    assert [floor.max_abs for floor in floors] == sorted((floor.max_abs for floor in floors), reverse=True)
    assert floors[0].max_abs > 100e-6
    assert floors[-1] == Floor(1e-6, 1e-6)


def test_a_rerun_in_float64_shows_only_the_lower_precisions_of_what_is_float64() -> None:
    place = numbers(1e-15, torch.float64)
    estimated = floor_of(place, None, Tolerance(), exact=False)
    assert floor_of(place, (0.0, 0.0), Tolerance(), exact=False) == estimated
    assert floor_of(place, (1e-6, 1e-6), Tolerance(), exact=False) == Floor(1e-6, 1e-6)
    in_float32 = floor_of(place, (1e-9, 1e-9), Tolerance(), exact=False)
    assert in_float32.max_abs == pytest.approx(ULPS * UNIT)


@pytest.mark.parametrize(("times", "exceeded"), [(0.5, False), (FACTOR * 0.9, False), (FACTOR * 1.2, True)])
def test_a_difference_counts_from_a_multiple_of_the_floor(times: float, exceeded: bool) -> None:
    floor = Floor(1e-5, 1e-5)
    assert floor.exceeded_by(numbers(times * 1e-5)) is exceeded


def test_the_last_bits_are_nobodys_fault() -> None:
    floor = floor_of(numbers(1e-7), (0.0, 0.0), Tolerance(), exact=False)
    assert floor.max_abs == pytest.approx(ULPS * UNIT)
    assert not floor.exceeded_by(numbers(2e-7))


def test_a_look_up_does_not_round() -> None:
    floor = floor_of(numbers(1e-7), (1e-3, 1e-3), Tolerance(), exact=True)
    assert floor == Floor(0.0, 0.0)
    assert floor.ratio(numbers(2e-7)) is None
    assert floor.exceeded_by(numbers(2e-7))
    assert not floor.exceeded_by(numbers(0.0))


def test_a_floor_never_hides_what_fails_the_tolerance() -> None:
    floor = floor_of(numbers(0.5), (0.5, 0.5), Tolerance(), exact=False)
    assert floor.exceeded_by(numbers(0.5))
    assert floor.exceeded_by(numbers(2.1e-3))


def test_rounding_that_was_not_measured_is_estimated() -> None:
    assert floor_of(numbers(1e-5), None, Tolerance(), exact=False).max_abs > ULPS * UNIT


def test_other_shapes_are_always_more_than_rounding() -> None:
    wrong = compare_tensors(torch.ones(3), torch.ones(4), Tolerance())
    assert Floor(1.0, 1.0).exceeded_by(wrong)


@pytest.mark.parametrize(
    ("original", "expected"),
    [((1e-6, 1e-6), Floor(2e-6, 3e-6)), ((5e-6, 2e-6), Floor(5e-6, 3e-6)), ((5e-6, 9e-6), Floor(5e-6, 9e-6))],
)
def test_the_larger_rounding_of_the_two_sides_counts(original: tuple[float, float], expected: Floor) -> None:
    assert floor_of(numbers(1e-5), (2e-6, 3e-6), Tolerance(), exact=False, original=original) == expected


def test_the_originals_rounding_hides_no_difference_that_fails_the_tolerance() -> None:
    floor = floor_of(numbers(2.1e-3), (1e-7, 1e-7), Tolerance(), exact=False, original=(1.0, 1.0))
    assert floor.exceeded_by(numbers(2.1e-3))
    assert floor_of(numbers(1e-7), (0.0, 0.0), Tolerance(), exact=True, original=(1.0, 1.0)) == Floor(0.0, 0.0)


@pytest.mark.parametrize(
    ("noise", "scale", "said"),
    [
        ({"batch": (3e-3, 3e-3)}, 1.0, "b moves by 0.003 when each row of the inputs runs by itself"),
        ({"threads": (3e-3, 3e-3)}, 1.0, "b moves by 0.003 with another number of threads"),
        ({"threads": (3e-3, 3e-3)}, 10.0, None),
        ({"float64": (1.0, 1.0)}, 1.0, None),
        (None, 1.0, None),
    ],
)
def test_an_output_that_moves_by_more_than_the_tolerance_is_said(
    noise: dict[str, tuple[float, float]] | None, scale: float, said: str | None
) -> None:
    trace = returned(a=torch.ones(2), b=torch.full((2,), scale))
    first, second = trace.outputs.leaves
    outputs = replace(trace.outputs, leaves=(first, replace(second, noise=noise)))
    warnings = noise_warnings(replace(trace, outputs=outputs), Tolerance())
    assert [code for code, _ in warnings] == ["original-noisy"] * (said is not None)
    assert all(said in text for _, text in warnings if said)
