"""Permutations: found from signatures, and named."""

from __future__ import annotations

import numpy as np
import pytest

from porting.diagnosis.tensors.permutations import named, order_between

COUNT = np.arange(24)


@pytest.mark.parametrize(
    ("order", "kind", "words"),
    [
        (COUNT[::-1], "reversed", "reversed"),
        (COUNT.reshape(4, 6)[[0, 1, 3, 2]].reshape(-1), "blocks", "0, 1, 3, 2"),
        (np.roll(COUNT, -1), "shifted", "shifted by 1"),
        (COUNT.reshape(4, 2, 3).swapaxes(1, 2).reshape(-1), "interleaved", "of each 6"),
        (np.concatenate([[0], 1 + np.arange(20).reshape(4, 5).T.reshape(-1)]), "grid", "4 by 5"),
        (COUNT[[0, 9, *range(2, 9), 1, *range(10, 24)]], "", "entries 1 and 9 are exchanged"),
    ],
)
def test_known_orders_are_named(order: np.ndarray, kind: str, words: str) -> None:
    found, text = named(order)
    assert found == kind
    assert words in text


def test_an_order_is_found_from_values() -> None:
    wanted = np.random.default_rng(0).normal(size=24)
    order = np.random.default_rng(1).permutation(24)
    seen = np.empty(24)
    seen[order] = wanted
    found = order_between(wanted, seen)
    assert found is not None
    assert (found == order).all()


def test_what_is_in_order_constant_or_other_has_no_order() -> None:
    wanted = np.random.default_rng(0).normal(size=24)
    assert order_between(wanted, wanted) is None
    assert order_between(wanted, wanted + 0.1) is None
    assert order_between(np.ones(4), np.ones(4)) is None
