"""The valid positions, followed along the axes of differently shaped tensors."""

from __future__ import annotations

import pytest
import torch

from porting.comparison import position_mask

VALID = torch.tensor([[True, True, True], [True, False, False]])


def kept(shape: tuple[int, ...]) -> torch.Tensor:
    mask = position_mask(shape, VALID)
    assert mask is not None
    assert mask.shape == shape
    return mask


def test_batch_first() -> None:
    assert torch.equal(kept((2, 3, 5))[..., 0], VALID)


def test_time_first() -> None:
    assert torch.equal(kept((3, 2, 5))[..., 0], VALID.t())


def test_heads_before_the_sequence() -> None:
    assert torch.equal(kept((2, 4, 3, 5))[:, 0, :, 0], VALID)


def test_attention_weights_count_for_valid_queries_and_every_key() -> None:
    assert torch.equal(kept((2, 4, 3, 3))[1, 0], VALID[1][:, None].expand(3, 3))


def test_as_many_heads_as_positions_count_where_valid_either_way() -> None:
    assert torch.equal(kept((2, 3, 3, 5))[..., 0], VALID[:, :, None] & VALID[:, None, :])


def test_batch_and_sequence_flattened() -> None:
    assert torch.equal(kept((6, 5))[:, 0], VALID.reshape(-1))


@pytest.mark.parametrize("shape", [(2, 7), (7,), (), (4, 4, 4)])
def test_other_shapes_count_everywhere(shape: tuple[int, ...]) -> None:
    assert position_mask(shape, VALID) is None


def test_no_padding_needs_no_mask() -> None:
    assert position_mask((2, 3, 5), torch.ones(2, 3, dtype=torch.bool)) is None
    assert position_mask((2, 3, 5), None) is None
