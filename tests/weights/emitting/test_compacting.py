"""Pairs of names as few rules."""

from __future__ import annotations

from porting.weights.emitting.compacting import compacted


def test_names_that_differ_in_numbers_only_are_one_rule() -> None:
    pairs = {f"h.{i}.w.{j}": f"layers.{i}.part.{j}.w" for i in range(3) for j in range(2)} | {"x": "y"}
    rules = compacted(pairs.items())
    assert [str(rule) for rule in rules] == ["h.{n0:d}.w.{n1:d} -> layers.{n0}.part.{n1}.w", "x -> y"]


def test_a_number_that_changes_stays_as_it_is() -> None:
    pairs = {f"h.{i}.w": f"layers.{i - 1}.w" for i in (1, 2)}
    assert [str(rule) for rule in compacted(pairs.items())] == ["h.1.w -> layers.0.w", "h.2.w -> layers.1.w"]


def test_a_pattern_that_would_take_another_name_is_not_used() -> None:
    pairs = {"h.0.w": "layers.0.w", "h.1.w": "special"}
    assert [str(rule) for rule in compacted(pairs.items())] == ["h.0.w -> layers.0.w", "h.1.w -> special"]
