"""Axes exchanged and heads regrouped."""

from __future__ import annotations

from relating import noise, repaired

HEADS = noise(2, 4, 7, 8)
MERGED = HEADS.transpose(1, 2).reshape(2, 7, 32)


def test_height_and_width_exchanged() -> None:
    x = noise(2, 3, 6, 6)
    assert repaired(x, x.transpose(2, 3)).text == "axes 2 and 3 exchanged"


def test_heads_merged_without_transposing() -> None:
    found = repaired(HEADS.reshape(2, 7, 32), MERGED)
    assert found.kind == "heads regrouped"
    assert found.text == "heads merged without being transposed back (as 4 heads of 8)"


def test_heads_transposed_too_often() -> None:
    assert repaired(MERGED, HEADS.transpose(1, 2).reshape(2, 7, 4, 8).transpose(1, 2).reshape(2, 7, 32)).kind == (
        "heads regrouped"
    )


def test_reshaped_where_it_should_be_transposed() -> None:
    x = noise(2, 7, 32)
    assert repaired(x.reshape(2, 32, 7), x.transpose(1, 2)).kind == "axes exchanged"


def test_another_shape_is_an_order_of_axes() -> None:
    x = noise(2, 7, 32)
    relation = repaired(x, x.transpose(0, 1).contiguous())
    assert relation.parameters["axes"] == (1, 0, 2)


def test_the_same_data_in_another_shape() -> None:
    x = noise(2, 7, 32)
    assert repaired(x, x.reshape(14, 32)).text == "in another shape, the data is the same"
