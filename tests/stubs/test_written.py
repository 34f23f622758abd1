"""Data as Python expressions."""

from __future__ import annotations

import ast

import pytest

from porting.errors import GenerationError
from porting.stubs.written import Call, Name, neutral, text, written


def test_what_fits_is_on_one_line_and_what_does_not_has_a_line_for_each_element() -> None:
    short = Call("Split", (), {"dim": 0})
    assert written([short, (1,), {"a": None}]) == '[Split(dim=0), (1,), {"a": None}]'
    long = Call("Join", (["x" * 60, "y" * 60],), {"steps": [(Name("flip"), {"dim": 1})]})
    assert written(long, 4).splitlines() == [
        "Join(",
        "        [",
        f'            "{"x" * 60}",',
        f'            "{"y" * 60}",',
        "        ],",
        '        steps=[(flip, {"dim": 1})],',
        "    )",
    ]


@pytest.mark.parametrize("value", [r"a\.b", 'a"b\\', "a\nb", "\\", "é", "", r"(\d+)"])
def test_a_text_is_read_back_as_it_was(value: str) -> None:
    assert ast.literal_eval(text(value)) == value


@pytest.mark.parametrize(
    "value", [Name("a b"), Call("f()", ()), Call("f", (), {"x y": 1}), {"a": float("nan")}, [{1}]]
)
def test_what_is_no_literal_and_no_name_is_refused(value: object) -> None:
    with pytest.raises(GenerationError):
        written(value)


def test_nothing_of_the_data_is_left_in_the_neutral_form() -> None:
    value = Call("f", (["secret", 1],), {"key": {"secret": ("secret", Name("flip"))}})
    assert "secret" not in written(neutral(value))
    assert "flip" in written(neutral(value))
