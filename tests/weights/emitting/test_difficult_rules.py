"""Rules that are hard to say: both forms are right, or there is an error that names the rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from difficult_rules import CASES, NO_MAPPINGS, Case, renamed_by_transformers_first
from emitted import differing, run_script, write
from mapped import check_mapping

from porting.errors import GenerationError
from porting.weights import apply_rules
from porting.weights.emitting import emit_mapping, emit_script


@pytest.mark.parametrize("make", [*CASES, *NO_MAPPINGS])
def test_the_script_does_what_the_rules_do(make: Callable[[], Case], tmp_path: Path) -> None:
    model, state, rules = make()
    emitted = emit_script(state, model, tmp_path, rules, name="difficult")
    found = run_script(emitted, write(tmp_path / "original", state), tmp_path / "converted")
    expected = apply_rules(rules, state)
    assert (differing(found, expected), set(found)) == ([], set(expected))


@pytest.mark.parametrize("make", CASES)
def test_the_mapping_loads_the_original_and_saves_both_ways(make: Callable[[], Case], tmp_path: Path) -> None:
    model, state, rules = make()
    emitted = emit_mapping(state, model, tmp_path, rules, name="difficult")
    back, own = check_mapping(emitted, model, state, rules, tmp_path)
    assert differing({name: tensor for name, tensor in back.items() if name in state}, state) == []
    assert set(own) == set(model.state_dict())
    one_way = [text for text in emitted.left if "Nothing undoes" in text]
    assert one_way or set(back) == set(state)


@pytest.mark.parametrize("make", NO_MAPPINGS)
def test_what_cannot_be_said_is_an_error(make: Callable[[], Case], tmp_path: Path) -> None:
    model, state, rules = make()
    with pytest.raises(GenerationError, match=r"the rule|left out by the rules") as raised:
        emit_mapping(state, model, tmp_path, rules, name="difficult")
    assert "--emit script" in raised.value.hint


def test_a_name_that_transformers_changes_first_is_said(tmp_path: Path) -> None:
    model, state, rules = renamed_by_transformers_first()
    with pytest.raises(GenerationError, match=r"c\.weight_g becomes c\.parametrizations\.weight\.original0"):
        emit_mapping(state, model, tmp_path, rules, name="difficult")
