"""Answers that agree, and how far apart others are."""

from __future__ import annotations

import numpy as np
import pytest

from porting.pipelines.answers import Answer

ONE = np.array([[1.0, -np.inf, 3.0]])


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (Answer(ONE.copy()), 0.0),
        (Answer(ONE + 0.5), 0.5),
        (Answer(ONE[:, :1]), np.inf),
        (Answer(np.repeat(ONE, 2, 0)), np.inf),
        (Answer(np.array([[1.0, np.inf, 3.0]])), np.inf),
        (Answer(np.array([[np.nan, -np.inf, 3.0]])), np.inf),
    ],
)
def test_numbers_differ_by_their_largest_distance_and_by_shape_and_infinities(
    other: Answer, difference: float
) -> None:
    assert Answer(ONE).difference(other) == difference


def test_some_numbers_are_held_against_those_of_their_keys() -> None:
    scores = np.array([0.1, 0.2, 0.7])
    assert Answer(scores).difference(Answer(np.array([0.7, 0.2]), keys=np.array([2, 1]))) == 0
    assert Answer(scores).difference(Answer(np.array([0.7]), keys=np.array([1]))) == pytest.approx(0.5)
    assert Answer(scores).difference(Answer(np.array([0.7]), keys=np.array([3]))) == np.inf


def test_tokens_and_texts_are_equal_or_not() -> None:
    assert Answer(tokens=(1, 2)).difference(Answer(tokens=(1, 2))) == 0
    assert Answer(tokens=(1, 2)).difference(Answer(tokens=(1, 3))) == np.inf
    assert Answer(text="yes").difference(Answer(text="no")) == np.inf
    assert Answer(tokens=(1, 2, 4)).parting(Answer(tokens=(1, 3, 4))) == 1
    assert Answer(tokens=(1, 2)).parting(Answer(tokens=(1, 2, 3))) is None


def test_padding_around_features_is_left_out() -> None:
    values = np.arange(6.0).reshape(3, 2)
    short = Answer(values)
    padding = np.full((2, 2), 9.0)
    for padded in (np.vstack([values, padding]), np.vstack([padding, values])):
        assert short.difference(short.within(Answer(padded))) == 0
