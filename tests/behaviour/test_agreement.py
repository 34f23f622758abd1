"""What agrees, what does not, and what nobody can tell."""

from __future__ import annotations

import pytest
import torch

from porting.behaviour import agree
from porting.tolerance import Tolerance

X = torch.linspace(-1, 1, 6).reshape(2, 3)
NAN = torch.full((2, 3), torch.nan)


def _within(_: str, __: torch.Tensor) -> Tolerance:
    return Tolerance(1e-3, 0.0)


@pytest.mark.parametrize("blank", [NAN, torch.full((2, 3), -torch.inf)])
def test_an_output_without_a_finite_element_speaks_neither_for_nor_against(blank: torch.Tensor) -> None:
    both = agree({"x": X, "blank": blank}, {"x": X, "blank": blank.clone()}, _within)
    assert (both.wrong, [output.name for output in both.blind], both.compared) == ((), ["blank"], True)
    alone = agree({"blank": blank}, {"blank": blank.clone()}, _within)
    assert (alone.wrong, alone.compared, alone.max_abs) == ((), False, None)


def test_an_output_that_is_masked_as_a_whole_is_not_wrong() -> None:
    agreement = agree({"x": X}, {"x": X + 1}, _within, torch.zeros(2, 3, dtype=torch.bool))
    assert (agreement.wrong, agreement.compared) == ((), False)


@pytest.mark.parametrize("found", [X + 1, NAN, X[:1], X.masked_fill(X > 0.9, torch.inf)])
def test_other_values_shapes_and_places_of_nan_are_wrong(found: torch.Tensor) -> None:
    agreement = agree({"x": X}, {"x": found}, _within)
    assert [output.name for output in agreement.wrong] == ["x"]
    assert agreement.blind == ()


def test_what_is_on_one_side_only_is_missing() -> None:
    agreement = agree({"x": X, "y": X}, {"y": X, "z": X}, _within)
    assert (agreement.missing, [output.name for output in agreement.outputs]) == (("x", "z"), ["y"])
