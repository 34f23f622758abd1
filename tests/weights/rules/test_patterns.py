"""Patterns of names: what they match, what they make, and what is no pattern."""

from __future__ import annotations

import time

import pytest

from porting.errors import RuleError
from porting.weights.rules.patterns import Pattern


def matched(pattern: str, name: str) -> dict[str, str] | None:
    return Pattern.of(pattern).match(name)


@pytest.mark.parametrize(
    ("pattern", "name", "fields"),
    [
        ("norm.weight", "norm.weight", {}),
        ("layers.{i:d}.weight", "layers.12.weight", {"i": "12"}),
        ("layer{i:d}.{j:d}.conv{n:d}.{leaf}", "layer3.0.conv2.bias", {"i": "3", "j": "0", "n": "2", "leaf": "bias"}),
        ("{part}.weight", "norm.weight", {"part": "norm"}),
        ("{rest:*}.weight", "a.b.c.weight", {"rest": "a.b.c"}),
        ("a.{leaf:weight|bias}", "a.bias", {"leaf": "bias"}),
        ("{p:model.|}layers.{i:d}.w", "layers.3.w", {"p": "", "i": "3"}),
        ("{p:model.|}layers.{i:d}.w", "model.layers.3.w", {"p": "model.", "i": "3"}),
        ("in_proj_{leaf}", "in_proj_weight", {"leaf": "weight"}),
        ("{i:d}.{i}.w", "4.4.w", {"i": "4"}),
        ("{i}.{i:d}.w", "4.4.w", {"i": "4"}),
        ("dict.{{{i:d}}}", "dict.{7}", {"i": "7"}),
        ("a\n{x}", "a\nb\u202e c", {"x": "b\u202e c"}),
        ("{x:*}", "\n.\n", {"x": "\n.\n"}),
        ("a.{leaf:w|w_g}", "a.w_g", {"leaf": "w_g"}),
        ("{kind:conv|bn}{i:d}.w", "conv10.w", {"kind": "conv", "i": "10"}),
        ("{p:model.|}{rest:*}", "model.w", {"p": "model.", "rest": "w"}),
        ("gewicht.ä{i:d}", "gewicht.ä1", {"i": "1"}),
    ],
)
def test_a_pattern_matches_whole_names_and_says_what_its_fields_are(
    pattern: str, name: str, fields: dict[str, str]
) -> None:
    assert matched(pattern, name) == fields
    assert Pattern.of(pattern).fill(fields) == name


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("norm.weight", "norm.weight2"),
        ("norm.weight", "a.norm.weight"),
        ("norm.weight", "normXweight"),
        ("layers.{i:d}.weight", "layers.x.weight"),
        ("layers.{i:d}.weight", "layers.1.weight\n"),
        ("layers.{i:d}.weight", "layers.-1.weight"),
        ("layers.{i:d}.weight", "layers.².weight"),
        ("layers.{i:d}.weight", "layers.٣.weight"),
        ("layers.{i:d}.weight", f"layers.{'9' * 5000}.weight"),
        ("{part}.weight", "a.b.weight"),
        ("{part}.weight", ".weight"),
        ("a.{leaf:weight|bias}", "a.weights"),
        ("{i:d}.{i}.w", "4.5.w"),
    ],
)
def test_other_names_are_left_alone(pattern: str, name: str) -> None:
    assert matched(pattern, name) is None


@pytest.mark.parametrize(
    "text",
    ["layers.{i", "layers.i}", "{}", "{ i }", "{1}", "{a²}", "{i:d", "{i+}", "{i+1:d}", "{i:int}", "{i:\\d+}", ""],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(RuleError, match="pattern"):
        Pattern.of(text)


def test_what_is_no_text_is_refused() -> None:
    given: list[object] = [3, None, b"a", ["a"]]
    for each in given:
        with pytest.raises(RuleError, match="pattern"):
            Pattern.of(each)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["{a}{b}", "{a:*}{i:d}", "{i:d}{j:d}", "x.{name}{i:d}", "{a:*}.{b:*}.{c:*}"])
def test_what_can_be_read_in_several_ways_is_refused(text: str) -> None:
    with pytest.raises(RuleError, match=r"nothing tells|only trying tells"):
        Pattern.of(text).as_source()


def test_names_that_are_made_to_take_for_ever_take_no_time() -> None:
    for name in ("q." * 500_000 + "weight", "q" * 1_000_000):
        assert matched("{a:*}.q.{b:*}.k", name) is None
        assert matched("{a}q{b}q{c}.weight", name) is None


def test_targets_shift_numbers() -> None:
    bindings = {"i": "9", "j": "0"}
    assert Pattern.of("a.{i+1}.{j}.{i-9}").fill(bindings) == "a.10.0.0"
    with pytest.raises(RuleError, match="cannot be computed"):
        Pattern.of("a.{j-1}").fill(bindings)


@pytest.mark.parametrize("value", ["x", "1.5", "٣", "9" * 5000, "-3", ""])
def test_only_numbers_can_be_shifted(value: str) -> None:
    with pytest.raises(RuleError, match="cannot be computed"):
        Pattern.of("a.{i+1}").fill({"i": value})


def test_a_source_cannot_shift() -> None:
    with pytest.raises(RuleError, match="offset"):
        Pattern.of("a.{i+1}").as_source()


@pytest.mark.parametrize("text", ["a.{i:d}.{leaf:w|b}.{rest:*}", "a{{b}}.{x}{i+1}{j-2}", "plain"])
def test_a_pattern_prints_as_it_is_written(text: str) -> None:
    assert str(Pattern.of(text)) == text
    assert Pattern.of(str(Pattern.of(text))) == Pattern.of(text)


def test_a_literal_is_exactly_its_name() -> None:
    name = "a{i:d}.{b"
    assert Pattern.literal(name).match(name) == {}
    assert Pattern.of(str(Pattern.literal(name))) == Pattern.literal(name)


@pytest.mark.parametrize("pattern", ["{a}-{b}-{c}-{d}", "{a}-{b}-{c}x", "{a:*}.{b}-{c}x", "{a:*}.{b:*}.{c:*}.x"])
def test_a_source_that_a_name_could_keep_busy_is_refused(pattern: str) -> None:
    with pytest.raises(RuleError, match="whose ends only trying tells"):
        Pattern.of(pattern).as_source()


@pytest.mark.parametrize(
    "pattern", ["{a}-{b}x", "{a}-{b}-{c}", "{a:*}-{b:*}x", "{a:*}.{b}-{c}.x", "{a}.{b}.{c}.{d}.{e}x", "{a:*}-{a}x"]
)
@pytest.mark.parametrize("name", ["-" * 1000, "a-" * 499 + "b", "a.-" * 333, "-" * 100_000])
def test_no_name_keeps_a_pattern_busy(pattern: str, name: str) -> None:
    source = Pattern.of(pattern).as_source()
    start = time.process_time()
    source.match(name)
    assert time.process_time() - start < 0.5
