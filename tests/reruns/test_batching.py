"""The rows of a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from porting.reruns.batching import rows_of
from porting.runs import Inputs


def shapes(inputs: Inputs) -> dict[str, Any]:
    return {name: tuple(value.shape) for name, value in inputs.named().items() if isinstance(value, torch.Tensor)}


def test_what_has_the_batch_in_front_is_cut_and_the_rest_goes_to_every_row() -> None:
    given = {
        "ids": torch.arange(6).reshape(2, 3),
        "positions": torch.arange(3)[None],
        "cache_position": torch.arange(3),
        "labels": torch.arange(2),
        "scale": torch.tensor(2.0),
        "flag": True,
        "nested": [torch.zeros(2, 4)],
    }
    rows = rows_of(Inputs(kwargs=given))
    expected = {"ids": (1, 3), "positions": (1, 3), "cache_position": (3,), "labels": (1,), "scale": ()}
    assert [shapes(row) for row in rows] == [expected, expected]
    assert [row.kwargs["ids"].tolist() for row in rows] == [[[0, 1, 2]], [[3, 4, 5]]]
    assert [tuple(row.kwargs["nested"][0].shape) for row in rows] == [(1, 4), (1, 4)]
    assert rows[0].kwargs["flag"] is True


@pytest.mark.parametrize(
    ("given", "valid", "words"),
    [
        ((torch.ones(1, 4),), None, "the batch has one row"),
        ((torch.ones(4),), None, "first axes are none"),
        ((torch.ones(2, 4), torch.ones(3, 4)), None, "first axes are 2, 3"),
        ((torch.ones(5, 2, 4),), torch.ones(2, 5), "first axes are 2, 5"),
        ((torch.ones(4, 4), torch.ones(4)), None, "two axes of the inputs have length 4"),
    ],
)
def test_inputs_that_do_not_say_what_their_rows_are(
    given: tuple[Any, ...], valid: torch.Tensor | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        rows_of(Inputs(given), valid)
