"""Poolings of known tensors."""

from __future__ import annotations

import pytest
import torch
from relating import noise, repaired

STATES = noise(4, 9, 32)
MASK = torch.arange(9)[None] < torch.tensor([9, 4, 6, 7])[:, None]


def test_the_mean_for_the_first() -> None:
    found = repaired(STATES.mean(1), STATES[:, 0], {"states": STATES})
    assert found.kind == "pooled"
    assert found.text == "the mean along axis 1 of `states`, the right one is the first"


@pytest.mark.parametrize("name", ["max", "sum", "last", "element 3"])
def test_any_other_pooling(name: str) -> None:
    right = {"max": STATES.amax(1), "sum": STATES.sum(1), "last": STATES[:, -1], "element 3": STATES[:, 3]}[name]
    found = repaired(STATES.mean(1), right, {"states": STATES})
    assert (found.parameters["ported"], found.parameters["original"]) == ("mean", name)


def test_padding_is_left_out_of_the_mean() -> None:
    right = (STATES * MASK[..., None]).sum(1) / MASK.sum(1, keepdim=True)
    found = repaired(STATES.mean(1), right, {"states": STATES, "mask": MASK})
    assert found.parameters["original"] == "masked mean"
    assert found.terms == ("states", "mask")


def test_the_last_token_that_is_no_padding() -> None:
    right = STATES[torch.arange(4), MASK.sum(1) - 1]
    found = repaired(STATES[:, -1], right, {"states": STATES, "mask": MASK.long()})
    assert (found.parameters["ported"], found.parameters["original"]) == ("last", "masked last")


def test_a_kept_axis() -> None:
    x = noise(2, 8, 5, 5)
    found = repaired(x.amax((2,), keepdim=True), x.mean((2,), keepdim=True), {"x": x})
    assert found.parameters["original"] == "mean"
