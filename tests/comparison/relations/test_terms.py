"""Known tensors that are missing, too many, or one for another."""

from __future__ import annotations

import pytest
from relating import kinds, noise, repaired

X, Y, Z = (noise(2, 7, 32, seed=seed) for seed in range(3))


def test_a_missing_residual_is_named() -> None:
    found = repaired(X, X + Y, {"residual": Y, "other": Z})
    assert (found.kind, found.terms) == ("missing", ("residual",))
    assert found.text == "`residual` is not added"


def test_a_term_too_many() -> None:
    found = repaired(X + Y, X, {"y": Y, "z": Z})
    assert (found.kind, found.terms) == ("added", ("y",))


def test_part_of_a_term_is_missing() -> None:
    found = repaired(X + Y, X + 1.5 * Y, {"y": Y})
    assert (found.kind, found.parameters["factor"]) == ("missing", 0.5)


def test_a_bias_is_missing_along_the_channels() -> None:
    bias = noise(5)
    x = noise(2, 5, 6, 6)
    assert repaired(x, x + bias[:, None, None], {"bias": bias}).terms == ("bias",)


@pytest.mark.parametrize("first", [0, 2])
def test_positions_of_a_longer_table_are_missing(first: int) -> None:
    table = noise(40, 32)
    found = repaired(X, X + table[first : first + 7], {"positions": table})
    assert (found.kind, found.terms) == ("missing", ("positions",))
    assert f"[{first}:{first + 7}]" in found.text


def test_a_term_in_another_layout_is_missing() -> None:
    time_first = Y.transpose(0, 1)
    assert repaired(X, X + Y, {"time_first": time_first}).terms == ("time_first",)
    heads = noise(2, 4, 7, 8)
    assert repaired(X, X + heads.transpose(1, 2).reshape(2, 7, 32), {"heads": heads}).terms == ("heads",)


def test_a_residual_from_another_place() -> None:
    found = repaired(X + Y, X + Z, {"y": Y, "z": Z, "x": X})
    assert (found.kind, found.terms) == ("replaced", ("y", "z"))


def test_another_tensor_altogether() -> None:
    found = repaired(Y, Z, {"y": Y, "z": Z})
    assert (found.kind, found.terms) == ("other tensor", ("z", "y"))


def test_unknown_terms_explain_nothing() -> None:
    assert kinds(X, X + Y, {"z": Z, "w": noise(32)}) == []


def test_terms_that_nearly_fit_explain_nothing() -> None:
    assert kinds(X, X + Y + 1e-4 * Z, {"y": Y}) == []
