"""Arrays of two preprocessings, paired by name, shape and content."""

from __future__ import annotations

import numpy as np

from porting.processors import pair_arrays
from porting.tolerance import Tolerance

PIXELS = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)


def test_the_name_comes_first_and_a_batch_axis_of_one_is_left_out() -> None:
    (pair,) = pair_arrays({"x": PIXELS}, {"y": PIXELS, "x": PIXELS[None] + 1})
    assert (pair.original_name, pair.ported_name) == ("x", "x")
    assert pair.same_shape
    assert not pair.agrees(Tolerance())


def test_of_two_arrays_of_one_shape_the_nearer_is_taken() -> None:
    (pair,) = pair_arrays({"image": PIXELS}, {"depth": PIXELS * 3, "pixel_values": PIXELS})
    assert pair.ported_name == "pixel_values"
    assert pair.agrees(Tolerance())


def test_a_lone_array_of_another_shape_is_paired_and_does_not_agree() -> None:
    (pair,) = pair_arrays({"image": PIXELS}, {"pixel_values": PIXELS[:, :3]})
    assert not pair.agrees(Tolerance())
    assert pair.describe() == "shape (3, 3, 5), expected (3, 4, 5)"


def test_sizes_are_paired_by_name_alone_and_masks_by_shape() -> None:
    mask, size = np.ones(50, dtype=np.int64), np.array([30, 20])
    pairs = pair_arrays({"mask": mask, "size": size}, {"attention_mask": mask, "original_sizes": size[::-1]})
    assert [(pair.original_name, pair.ported_name) for pair in pairs] == [("mask", "attention_mask")]


def test_nan_on_one_side_is_no_agreement() -> None:
    broken = PIXELS.copy()
    broken[0, 0, 0] = np.nan
    (pair,) = pair_arrays({"image": PIXELS}, {"image": broken})
    assert not pair.agrees(Tolerance())
    assert pair.max_abs == float("inf")
