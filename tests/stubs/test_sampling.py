from __future__ import annotations

import torch

from porting.comparison import position_mask
from porting.stubs.sampling import CHANNELS, MOST_ROWS, choose


def valid(*lengths: int, left: bool = False) -> torch.Tensor:
    """True for the first (or the last) so many of 8 positions of each row."""
    positions = torch.arange(8)
    return torch.stack([positions >= 8 - length if left else positions < length for length in lengths])


def test_the_last_and_the_middle_valid_place_of_each_row_are_chosen() -> None:
    tensor = torch.randn(2, 8, 64)
    mask = position_mask((2, 8, 64), valid(8, 3))
    sample = choose(tensor, mask)
    assert sample.places == ([0, 0, 1, 1], [4, 7, 1, 2])
    assert sample.values(tensor).shape == (4, CHANNELS)
    assert sample.means(tensor).shape == (4,)
    assert choose(tensor, position_mask((2, 8, 64), valid(8, 3, left=True))).places == ([0, 0, 1, 1], [4, 7, 6, 7])


def test_the_channel_that_varies_most_stands_for_each_part() -> None:
    tensor = torch.zeros(2, 8, 64)
    loud = [3, 8, 17, 31, 32, 40, 55, 63]
    tensor[:, ::2, loud] = 1.0
    tensor[:, :, 0] = 100.0  # large and constant: it says little
    assert choose(tensor, None).channels == loud


def test_what_is_not_valid_has_no_say() -> None:
    tensor = torch.randn(2, 8, 16)
    other = tensor.clone()
    other[1, 3:] = torch.linspace(-1e4, 1e4, 16) * torch.arange(5)[:, None]
    mask = position_mask((2, 8, 16), valid(8, 3))
    assert choose(other, mask) == choose(tensor, mask)


def test_many_rows_give_few_places_and_few_channels_all() -> None:
    sample = choose(torch.randn(50, 8, 3), None)
    assert len(sample.places[0] or []) == 2 * MOST_ROWS
    assert sample.channels == [0, 1, 2]


def test_an_output_without_positions_is_sampled_by_rows() -> None:
    tensor = torch.randn(3, 20)
    sample = choose(tensor, None)
    assert sample.places == ([0, 1, 2],)
    assert torch.equal(sample.values(tensor), tensor[:, sample.channels])


def test_positions_on_the_last_axis_are_valid_at_every_chosen_place() -> None:
    tensor = torch.randn(2, 8)
    mask = valid(8, 3)
    sample = choose(tensor, position_mask((2, 8), mask))
    assert sample.channels == [0, 1, 2]
    none_in_common = torch.tensor([[True] * 4 + [False] * 4, [False] * 4 + [True] * 4])
    assert choose(tensor, none_in_common).places == ([0],)


def test_one_axis_one_row_and_values_that_are_not_finite() -> None:
    vector = torch.randn(5)
    sample = choose(vector, None)
    assert sample.values(vector).tolist() == [vector.tolist()]
    row = torch.tensor([[1.0, -9.0, 2.0, torch.inf, torch.nan] * 8])
    assert 1 in choose(row, None).channels


def test_a_choice_can_be_repeated() -> None:
    tensor = torch.randn(2, 8, 16)
    assert choose(tensor, None) == choose(tensor.clone(), None)
