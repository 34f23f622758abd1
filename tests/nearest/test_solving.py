"""What a setting must be is solved from what its change does to sizes."""

from __future__ import annotations

import pytest

from porting.nearest.exact import Built
from porting.nearest.solving import moved, solutions


@pytest.mark.parametrize(
    ("value", "changed", "sizes", "wish", "right"),
    [
        (768, 1536, (768, 1536), 320, 320),  # a width itself
        (8, 16, (1024, 2048), 384, 3),  # heads of a known width
        (512, 1024, (514, 1026), 66, 64),  # positions with two in front
        (224, 448, (197, 785), 257, 256),  # a grid of patches and a class token
        (12, 24, (64, 32), 96, 8),  # the width of each of several heads
    ],
)
def test_a_setting_is_solved(value: int, changed: int, sizes: tuple[int, int], wish: int, right: int) -> None:
    assert right in solutions(value, changed, sizes, wish)


def test_no_setting_is_zero_less_or_absurd() -> None:
    assert solutions(8, 16, (512, 520), 504) == []
    assert all(0 < each <= 1 << 20 for each in solutions(4, 8, (4, 8), 1 << 40))


def test_lists_that_get_longer_and_sizes_that_grow_are_seen() -> None:
    before = Built("One", {"layers.0.weight": (4, 8), "norm.weight": (8,)}, {})
    after = Built("One", {"layers.0.weight": (4, 16), "layers.1.weight": (4, 16), "norm.weight": (16,)}, {})
    assert moved(before, after) == [(1, 2), (8, 16)]
