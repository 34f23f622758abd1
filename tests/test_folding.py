from __future__ import annotations

from itertools import product

import pytest

from porting.folding import Folded, fold


def names_of(rows: list[Folded]) -> list[str]:
    return [row.name for row in rows]


def test_a_run_of_layers_becomes_one_row() -> None:
    names = [f"encoder.layer.{i}.attention.self.query.weight" for i in range(6)]
    assert fold(names) == [Folded("encoder.layer.{0...5}.attention.self.query.weight", tuple(range(6)))]


def test_gaps_are_shown() -> None:
    assert names_of(fold([f"h.{i}.w" for i in (0, 1, 2, 3, 5)])) == ["h.{0...3, 5}.w"]
    assert names_of(fold([f"h.{i}.w" for i in (7, 2, 1)])) == ["h.{1, 2, 7}.w"]


def test_a_single_name_stays_as_it_is() -> None:
    assert names_of(fold(["a.3.b", "a.3.c", "plain"])) == ["a.3.b", "a.3.c", "plain"]


def test_two_numbers_fold_only_where_every_combination_is_there() -> None:
    names = [f"l.{i}.e.{j}" for i, j in product(range(3), range(4)) if (i, j) != (1, 2)]
    rows = fold(names)
    assert names_of(rows) == ["l.{0, 2}.e.{0...3}", "l.1.e.{0, 1, 3}"]
    assert sorted(at for row in rows for at in row.members) == list(range(len(names)))


def test_rows_come_in_the_order_of_their_first_member() -> None:
    assert names_of(fold(["z.0", "a.0", "z.1", "m"])) == ["z.{0, 1}", "a.0", "m"]


def test_a_name_given_twice_keeps_both_members() -> None:
    assert fold(["a.0", "a.0", "a.1"]) == [Folded("a.{0, 1}", (0, 1, 2))]


@pytest.mark.parametrize(
    "names",
    [
        ["a.01.b", "a.1.b"],
        ["a1.b", "a2.b"],
        ["a.٣.b", "a.٤.b"],
        ["a.1234567890.b", "a.1234567891.b"],
        ["0." * 50, "1." + "0." * 49],
    ],
)
def test_only_plain_numbers_of_their_own_are_folded(names: list[str]) -> None:
    assert names_of(fold(names)) == names


def test_numbers_at_either_end_fold() -> None:
    assert names_of(fold(["0.weight", "1.weight", "list.0", "list.1", "list.2"])) == [
        "{0, 1}.weight",
        "list.{0...2}",
    ]


def test_numbers_after_an_underscore_or_between_slashes_fold() -> None:
    names = [f"Transformer/encoderblock_{i}/Dense_{j}/kernel" for i, j in product(range(3), range(2))]
    assert names_of(fold(names)) == ["Transformer/encoderblock_{0...2}/Dense_{0, 1}/kernel"]
    assert names_of(fold(["stage/0/w", "stage/1/w", "w_1x", "w_2x"])) == ["stage/{0, 1}/w", "w_1x", "w_2x"]


def test_nothing_folds_to_nothing() -> None:
    assert fold([]) == []
