from __future__ import annotations

import pytest

from porting.checks import SelectionError, iterate_checks, select_checks

ALL = [check.name for check in iterate_checks()]


def _names(*names: str, **more: object) -> list[str]:
    return [check.name for check in select_checks(names, **more)]  # type: ignore[arg-type]


def test_every_check_is_selected_by_default_in_order() -> None:
    assert _names() == ALL


def test_names_select_in_the_order_in_which_checks_run() -> None:
    names = ["check_outputs_equal", "check_weights_loaded"]
    assert _names(*names) == sorted(names, key=ALL.index)


@pytest.mark.parametrize("pattern", ["outputs_equal", "check_outputs_equal", "outputs", "check_outputs", "out*equal"])
def test_prefix_beginning_and_pattern_select(pattern: str) -> None:
    assert "check_outputs_equal" in _names(pattern)
    assert "check_weights_loaded" not in _names(pattern)


def test_a_pattern_may_begin_anywhere() -> None:
    assert set(_names("*_equal")) == {name for name in ALL if name.endswith("_equal")}


def test_a_whole_name_selects_no_other_that_begins_with_it() -> None:
    assert all(_names(name) == [name] for name in ALL)


def test_steps_and_names_narrow_each_other() -> None:
    assert {check.step for check in select_checks(steps=[7])} == {7}
    assert _names("outputs_equal", steps=[6, 7]) == ["check_outputs_equal"]


def test_what_is_skipped_is_left_out() -> None:
    assert _names(skip=["outputs_equal"]) == [name for name in ALL if name != "check_outputs_equal"]


@pytest.mark.parametrize("unknown", ["outputs_equl", "check_outputs_equl"])
def test_an_unknown_name_is_refused_with_the_one_that_was_meant(unknown: str) -> None:
    with pytest.raises(SelectionError, match=r"there is no check .*did you mean check_outputs_equal\?"):
        select_checks([unknown])
    with pytest.raises(SelectionError, match="did you mean check_outputs_equal"):
        select_checks(skip=[unknown])


@pytest.mark.parametrize("nothing", ["", "*nowhere*", "\x1b[31m"])
def test_a_pattern_that_selects_nothing_is_refused_and_shown_safely(nothing: str) -> None:
    with pytest.raises(SelectionError) as caught:
        select_checks([nothing])
    assert "\x1b" not in caught.value.message
    assert "outputs_equal" in caught.value.hint


def test_a_step_without_checks_is_refused_with_those_that_have_some() -> None:
    with pytest.raises(SelectionError, match="step 15 of the recipe has no checks") as caught:
        select_checks(steps=[15])
    assert "6, 7" in caught.value.hint


def test_a_selection_of_which_all_is_left_out_is_refused() -> None:
    with pytest.raises(SelectionError, match="no check is both selected"):
        select_checks(["outputs_equal"], skip=["outputs"])
