"""Nothing of a checkpoint or of a model is overlooked when they are compared, however much there is of it."""

from __future__ import annotations

import pytest
from nearest.named import Shapes, decoder, mixer, vision

from porting.nearest.cells import are_told_apart, cells_of
from porting.nearest.exact import MOST_CELLS, Built, Difference, difference

KINDS = 300


def between(checkpoint: Shapes, model: Shapes) -> Difference:
    return difference(cells_of(checkpoint), Built("Model", model, {}))


def of_many_kinds() -> Shapes:
    return {f"stem.conv{number}.weight": (number + 3, 64) for number in range(KINDS)}


def of_many_blocks(count: int) -> Shapes:
    """Blocks of which each has a size of its own."""
    return {f"s{block}.blocks.{layer}.part.weight": (block + 3, 2) for block in range(count) for layer in range(2)}


@pytest.mark.parametrize("shapes", [decoder(), vision(), mixer(), of_many_kinds()])
def test_a_model_is_itself(shapes: Shapes) -> None:
    assert between(shapes, shapes).wrong == 0


@pytest.mark.parametrize("number", [0, KINDS - 1])
def test_one_of_very_many_sizes_that_is_another_is_seen(number: int) -> None:
    found = between(of_many_kinds() | {f"stem.conv{number}.weight": (5000, 64)}, of_many_kinds())
    assert (found.left, found.empty) == (1, 1)


def test_one_more_beside_very_many_sizes_is_seen() -> None:
    further = {"stem.further.weight": (6000, 64)}
    assert between(of_many_kinds() | further, of_many_kinds()).left == 1
    assert between(of_many_kinds(), of_many_kinds() | further).empty == 1


def test_blocks_of_a_model_that_are_too_many_to_be_tried_are_not_filled() -> None:
    found = between(of_many_blocks(MOST_CELLS), of_many_blocks(MOST_CELLS + 1))
    assert (found.left, found.empty) == (0, 2)


@pytest.mark.parametrize(
    "names",
    [
        ["a.b.weight", "a/b.weight"],
        [f"{first}{'x' * 500}.weight" for first in "ab"],
        [f"{first}.{'deep.' * 50}weight" for first in "ab"],
    ],
    ids=["separators", "long", "deep"],
)
def test_names_that_are_read_as_one_are_not_told_apart(names: list[str]) -> None:
    assert not are_told_apart(names)
    assert are_told_apart(names[:1])
