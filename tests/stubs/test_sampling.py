from __future__ import annotations

import torch

from porting.comparison import position_mask
from porting.stubs.sampling import CHANNELS, MOST_ROWS, PLACES_OF_ROW, SUMS, choose


def valid(*lengths: int, left: bool = False) -> torch.Tensor:
    """True for the first (or the last) so many of 8 positions of each row."""
    positions = torch.arange(8)
    return torch.stack([positions >= 8 - length if left else positions < length for length in lengths])


def test_places_and_channels_are_those_that_move() -> None:
    tensor = torch.randn(2, 8, 64)
    moved = []
    for place, channel in ((3, 5), (6, 40)):
        move = torch.full_like(tensor, 1e-3)
        move[:, place, channel] = 1.0
        moved.append(move)
    sample = choose(tensor, None, moved)
    assert sample.places == ([0, 0, 1, 1], [3, 6, 3, 6])
    assert {5, 40} <= set(sample.channels)
    assert sample.values(tensor).shape == (4, CHANNELS)
    assert sample.means(tensor).shape == (4,)


def test_places_are_valid_ones_of_each_row() -> None:
    tensor = torch.randn(2, 8, 64)
    for left in (False, True):
        counted = valid(8, 3, left=left)
        rows, positions = choose(tensor, position_mask((2, 8, 64), counted)).places
        assert rows == [0, 0, 1, 1]
        assert bool(counted[rows, positions].all())


def test_without_moves_the_unusual_elements_are_chosen() -> None:
    tensor = torch.zeros(2, 8, 64)
    loud = [3, 8, 17, 31, 32, 40, 55, 63]
    tensor[:, 2, loud] = 1.0
    tensor[:, :, 0] = 100.0  # large and constant: it says little
    assert choose(tensor, None).channels == loud
    assert set(choose(tensor, None).places[1] or []) > {2}


def test_every_element_that_counts_has_a_part_in_the_sums() -> None:
    tensor = torch.randn(2, 8, 16)
    sample = choose(tensor, position_mask((2, 8, 16), valid(8, 3)))
    sums = sample.sums(tensor)
    assert sums.shape == (SUMS,)
    for row, place in ((0, 0), (0, 7), (1, 2)):
        for channel in range(16):
            other = tensor.clone()
            other[row, place, channel] += 1.0
            assert bool((sample.sums(other) - sums).abs().max() > 1e-3)
    padded = tensor.clone()
    padded[1, 3:] += 1.0
    assert torch.equal(sample.sums(padded), sums)


def test_a_mask_over_the_last_axis_is_kept_whole() -> None:
    mask = valid(8, 3)
    sample = choose(torch.randn(2, 8), mask)
    assert torch.equal(torch.tensor(sample.valid).bool(), mask)


def test_what_is_not_valid_has_no_say() -> None:
    tensor = torch.randn(2, 8, 16)
    other = tensor.clone()
    other[1, 3:] = torch.linspace(-1e4, 1e4, 16) * torch.arange(5)[:, None]
    mask = position_mask((2, 8, 16), valid(8, 3))
    assert choose(other, mask) == choose(tensor, mask)


def test_many_rows_give_few_places_and_few_channels_all() -> None:
    sample = choose(torch.randn(50, 8, 3), None)
    assert len(sample.places[0] or []) == PLACES_OF_ROW * MOST_ROWS
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
