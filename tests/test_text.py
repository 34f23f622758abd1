from __future__ import annotations

from pathlib import Path

import pytest

from porting.text import MAX_LENGTH, show


@pytest.mark.parametrize("text", ["", "model.layers.0.weight", "größe", "模型", "a b", "[bold]x", "</script>", "a\\b"])
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert show(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("\u2066\u200b\ufeff", r"\u2066\u200b\ufeff"),
        ("\u2028\u2029\xa0", r"\u2028\u2029\xa0"),
        ("\U000e0001", r"\U000e0001"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert show(text) == shown
    assert show(text).isprintable()


@pytest.mark.parametrize(("value", "shown"), [(3, "3"), (None, "None"), (Path("a/b"), "a/b"), (["\n"], r"['\n']")])
def test_anything_can_be_shown(value: object, shown: str) -> None:
    assert show(value) == shown


def test_long_text_is_cut_in_the_middle() -> None:
    assert show("a" * MAX_LENGTH) == "a" * MAX_LENGTH
    shown = show("start" + "x" * 10_000 + "end")
    assert len(shown) <= MAX_LENGTH
    assert shown.startswith("start")
    assert shown.endswith("end")
    assert "…" in shown


def test_limit_counts_what_is_shown_and_not_what_is_given() -> None:
    assert len(show("\x1b" * 100, limit=40)) <= 40
