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


B, T, H, D = 2, 5, 3, 4
HIDDEN = torch.randn(B, T, H * D, generator=torch.Generator().manual_seed(0))
HEADS = HIDDEN.view(B, T, H, D)
ARRANGED = {
    "heads first": HEADS.transpose(1, 2),
    "heads last": HEADS,
    "batch flattened": HIDDEN.reshape(B * T, -1),
    "time flattened": HIDDEN.transpose(0, 1).reshape(T * B, -1),
    "time first": HIDDEN.transpose(0, 1),
    "channels first": HIDDEN.transpose(1, 2),
    "ones": HIDDEN[:, None, :, None],
    "time first and a one": HIDDEN.transpose(0, 1)[None],
    "heads in the batch": HEADS.transpose(1, 2).reshape(B * H, T, D),
}


@pytest.mark.parametrize("blur", [0.0, 0.3])
@pytest.mark.parametrize("name", ARRANGED)
def test_content_tells_how_axes_are_split_permuted_and_merged(name: str, blur: float) -> None:
    arranged = ARRANGED[name]
    noise = blur * torch.randn(arranged.shape, generator=torch.Generator().manual_seed(1))
    layout = find_layout(HIDDEN, tuple(arranged.shape), arranged + noise)
    assert layout is not None
    assert torch.equal(layout.apply(HIDDEN), arranged)
    back = find_layout(arranged + noise, tuple(HIDDEN.shape), HIDDEN)
    assert back is not None
    assert torch.equal(back.feed(arranged, HIDDEN), HIDDEN)


def test_axes_of_one_length_are_exchanged_only_if_that_makes_the_contents_agree() -> None:
    tensor = torch.randn(4, 4, 6, generator=torch.Generator().manual_seed(0))
    exchanged = find_layout(tensor, (4, 4, 6), tensor.transpose(0, 1))
    assert exchanged is not None
    assert exchanged.axes == (1, 0, 2)
    for other in (tensor, tensor + 1.0, torch.zeros(4, 4, 6)):
        kept = find_layout(tensor, (4, 4, 6), other)
        assert kept is not None
        assert kept.kind == "same"


def test_a_layout_seen_elsewhere_decides_where_contents_do_not() -> None:
    tensor = torch.randn(4, 4, 6, generator=torch.Generator().manual_seed(0))
    seen = find_layout(tensor, (4, 4, 6), tensor.transpose(0, 1))
    assert seen is not None
    assert find_layout(tensor, (4, 4, 6), torch.zeros(4, 4, 6), {((4, 4, 6), (4, 4, 6)): seen}) == seen
