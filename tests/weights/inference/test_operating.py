from __future__ import annotations

import pytest
import torch

from porting.weights.inference.operating import between, shaped
from porting.weights.inference.units import Unit
from porting.weights.rules.layout import Reshape, Transpose
from porting.weights.rules.steps import applied


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((4, 6), (4, 6)),
        ((4, 6), (6, 4)),
        ((6,), (1, 6)),
        ((1, 1, 8), (8,)),
        ((3, 5, 7, 9), (9, 7, 5, 3)),
        ((4, 3, 6, 5), (72, 5)),
        ((40, 4, 12), (48, 40)),
        ((48, 40), (40, 4, 12)),
        ((8, 3, 4, 4), (8, 48)),
        ((6, 1, 4), (4, 6)),
    ],
)
def test_every_way_gives_the_shape(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    ways = list(shaped(one, other))
    assert ways
    for way in ways:
        assert applied(way, [[torch.empty(one, device="meta")]])[0][0].shape == other


def test_a_square_matrix_may_be_as_it_is_or_transposed() -> None:
    assert list(shaped((5, 5), (5, 5))) == [(), (Transpose(),)]


def test_shapes_of_other_sizes_have_no_way() -> None:
    assert list(shaped((4, 6), (5, 5))) == []
    assert list(shaped((4, 6), (3, 8))) == []


def test_a_list_is_stacked_and_taken_apart() -> None:
    several = Unit("e.0.w", (2, 3, 4), ("e.0.w", "e.1.w"))
    single = Unit("w", (2, 3, 4), ("w",))
    assert [str(each) for each in next(between(several, single))] == ["stack in a new dimension 0"]
    assert [str(each) for each in next(between(single, several))] == ["take dimension 0 apart"]


def test_a_reshape_knows_its_way_back() -> None:
    assert next(shaped((48,), (1, 48))) == (Reshape(1, 48, back=(48,)),)
