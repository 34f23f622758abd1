"""Equal tensors but at certain places."""

from __future__ import annotations

import pytest
import torch
from relating import kinds, noise, recognised, repaired

from porting.comparison.relations import explain

X, Y = noise(2, 9, 16), noise(2, 9, 16, seed=1)
MASK = torch.arange(9)[None] < torch.tensor([9, 6])[:, None]


def test_a_known_mask_tells_where() -> None:
    found = recognised(torch.where(MASK[..., None], X, Y), X, {"mask": MASK})
    assert (found.kind, found.terms) == ("masked only", ("mask",))


def test_what_should_be_there_is_put_there() -> None:
    found = repaired(X, X.masked_fill(~MASK[..., None], 0), {"mask": MASK})
    assert found.text == "different only where `mask` for each position is closed, where the right one is 0"
    known = {"mask": MASK, "y": Y}
    assert repaired(X, torch.where(MASK[..., None], X, Y), known).terms == ("mask", "y")


def test_additive_masks_are_masks() -> None:
    mask = torch.zeros(2, 1, 9, 1).masked_fill(~MASK[:, None, :, None], -1e9)
    x = noise(2, 4, 9, 8)
    assert repaired(x, x.masked_fill(mask < 0, 0), {"mask": mask}).kind == "masked only"


@pytest.mark.parametrize(
    ("places", "where"),
    [
        ([0], "the first index of axis 1"),
        ([7, 8], "the last 2 indices of axis 1"),
        ([2, 5], "indices 2, 5 of axis 1"),
    ],
)
def test_positions_along_an_axis_tell_where(places: list[int], where: str) -> None:
    wrong = X.clone()
    wrong[:, places] = Y[:, places]
    assert recognised(wrong, X).text == f"different only at {where}"


def test_what_is_not_valid_is_a_relation_of_its_own() -> None:
    wrong = torch.where(MASK[..., None], X, Y)
    assert [relation.parameters for relation in explain(wrong, X, valid=MASK)] == [{"mask": "valid"}]
    assert explain(X, X, valid=MASK) == []


def test_nan_at_one_position() -> None:
    wrong = X.clone()
    wrong[:, 0] = torch.nan
    assert explain(wrong, X)[0].text == "different only at the first index of axis 1"


def test_scattered_places_are_no_relation() -> None:
    assert kinds(torch.where(Y > 1, Y, X), X) == []
