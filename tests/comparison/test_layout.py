"""Harmless differences of shape between an original tensor and the ported one."""

from __future__ import annotations

import pytest
import torch

from porting.comparison import find_layout


def test_equal_shapes_are_the_same_layout() -> None:
    layout = find_layout(torch.ones(2, 3), (2, 3))
    assert layout is not None
    assert str(layout) == ""


def test_one_row_stands_for_equal_rows_only() -> None:
    rows = torch.arange(3).expand(2, 3)
    layout = find_layout(rows, (1, 3))
    assert layout is not None
    assert torch.equal(layout.apply(rows), rows[:1])
    assert find_layout(torch.arange(6).reshape(2, 3), (1, 3)) is None


def test_an_original_row_is_repeated() -> None:
    layout = find_layout(torch.arange(3)[None], (2, 3))
    assert layout is not None
    assert layout.apply(torch.arange(3)[None]).shape == (2, 3)


def test_time_first_is_permuted() -> None:
    tensor = torch.randn(5, 2, 7)
    layout = find_layout(tensor, (2, 5, 7))
    assert layout is not None
    assert torch.equal(layout.apply(tensor), tensor.transpose(0, 1))


def test_flattened_batches_are_reshaped() -> None:
    tensor = torch.randn(2, 5, 7)
    layout = find_layout(tensor, (10, 7))
    assert layout is not None
    assert torch.equal(layout.apply(tensor), tensor.reshape(10, 7))


@pytest.mark.parametrize("shape", [(2, 4), (3, 2, 2), (6,), ()])
def test_anything_else_is_not_a_layout(shape: tuple[int, ...]) -> None:
    assert find_layout(torch.randn(3, 2), shape) is None
