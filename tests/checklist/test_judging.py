from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from evidenced import add, change, empty_port

from porting.checklist import make_checklist
from porting.checklist.states import joint_state

if TYPE_CHECKING:
    from pathlib import Path

    from porting.checklist import ListedClaim
    from porting.portfile import Portfile

CLAIM = "check_outputs_equal"


def listed(portfile: Portfile, name: str = CLAIM) -> ListedClaim:
    return next(claim for claim in make_checklist(portfile).claims if claim.claim.name == name)


@pytest.mark.parametrize(
    ("result", "state", "why"),
    [
        ("passed", "done", "passed"),
        ("failed", "failed", "act differs"),
        ("inconclusive", "to do", "inconclusive: act differs"),
        ("not applicable", "not applicable", "act differs"),
        ("lacking", "to do", "act differs"),
        ("expected failure", "by hand", "fails as expected: act differs"),
        ("error", "to do", "could not run: act differs"),
    ],
)
def test_the_newest_record_gives_the_state_and_says_why(tmp_path: Path, result: str, state: str, why: str) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "passed" if result == "failed" else "failed")
    change(portfile)
    add(portfile, CLAIM, result, "" if result == "passed" else "act differs\nand more")
    assert (listed(portfile).state, listed(portfile).why) == (state, why)


def test_a_claim_without_evidence_is_to_do(tmp_path: Path) -> None:
    claim = listed(empty_port(tmp_path))
    assert (claim.state, claim.why, claim.figures) == ("to do", "never checked", {})


@pytest.mark.parametrize("result", ["passed", "failed", "not applicable", "expected failure"])
def test_what_was_found_goes_stale_and_says_what_changed(tmp_path: Path, result: str) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, result, "so it was")
    change(portfile)
    claim = listed(portfile)
    assert claim.state == "stale"
    assert claim.changed == ("code.py changed",)
    assert claim.why.endswith("; since then: code.py changed")


@pytest.mark.parametrize("result", ["inconclusive", "lacking", "error"])
def test_what_was_never_shown_is_to_do_and_not_stale(tmp_path: Path, result: str) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, result)
    change(portfile)
    assert listed(portfile).state == "to do"


@pytest.mark.parametrize("later", ["error", "inconclusive"])
def test_an_earlier_tick_changes_nothing_in_what_a_program_said_since(tmp_path: Path, later: str) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "ticked", by="Ada")
    add(portfile, CLAIM, later)
    assert listed(portfile).state == "by hand"
    add(portfile, CLAIM, "passed")
    assert listed(portfile).state == "done"
    add(portfile, CLAIM, later)
    assert listed(portfile).state == "to do"


@pytest.mark.parametrize("later", ["error", "lacking", "inconclusive", "ticked"])
def test_a_failure_stands_until_something_changes(tmp_path: Path, later: str) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "failed", "act differs")
    add(portfile, CLAIM, later, by="Ada" if later == "ticked" else "")
    assert (listed(portfile).state, listed(portfile).why) == ("failed", "act differs")
    change(portfile)
    assert listed(portfile).state in ("to do", "stale")


def test_a_tick_holds_where_a_program_said_nothing(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "lacking", "no original()")
    add(portfile, CLAIM, "ticked", by="Ada")
    assert (listed(portfile).state, listed(portfile).why) == ("by hand", "ticked by Ada: seen")
    add(portfile, CLAIM, "error", "no memory")
    assert listed(portfile).state == "by hand"
    add(portfile, CLAIM, "failed", "act differs")
    assert listed(portfile).state == "failed"
    add(portfile, CLAIM, "passed")
    assert listed(portfile).state == "done"


def test_a_pass_that_stands_comes_before_a_tick(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "passed")
    add(portfile, CLAIM, "ticked", by="Ada")
    assert listed(portfile).state == "done"
    change(portfile)
    assert listed(portfile).state == "stale"


def test_what_a_person_says_not_to_apply_says_who_and_why(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "not applicable", by="Ada")
    assert (listed(portfile).state, listed(portfile).why) == ("not applicable", "by hand, Ada: seen")
    assert listed(portfile).by_hand


def test_nothing_left_out_needs_no_word_of_a_person(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    assert listed(portfile, "left-out").state == "to do"
    add(portfile, "check_weights_used", "passed", reasons_to_leave_out=1)
    assert listed(portfile, "left-out").state == "to do"
    add(portfile, "check_weights_used", "passed", reasons_to_leave_out=0)
    assert listed(portfile, "left-out").state == "not applicable"
    change(portfile)
    assert listed(portfile, "left-out").state == "to do"
    add(portfile, "check_weights_used", "not applicable", "there is no checkpoint()")
    assert listed(portfile, "left-out").why == "check_weights_used does not apply: there is no checkpoint()"


def test_a_gpu_that_is_there_settles_the_claim_about_it(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_follows_device", "passed", gpu="no GPU here")
    assert listed(portfile, "ran-on-gpu").state == "to do"
    add(portfile, "check_follows_device", "passed", gpu="cuda: equal, max abs 2e-06")
    claim = listed(portfile, "ran-on-gpu")
    assert (claim.state, claim.why) == ("done", "check_follows_device: gpu cuda: equal, max abs 2e-06")
    change(portfile)
    assert listed(portfile, "ran-on-gpu").state == "to do"


def test_what_one_command_showed_another_that_lacks_something_does_not_take_back(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "passed")
    add(portfile, CLAIM, "lacking", "the original runs in another interpreter")
    assert listed(portfile).state == "done"
    change(portfile)
    assert (listed(portfile).state, listed(portfile).why.partition(";")[0]) == (
        "to do",
        "the original runs in another interpreter",
    )
    add(portfile, CLAIM, "not applicable", "there is no text")
    add(portfile, CLAIM, "lacking", "no tokenizer")
    assert listed(portfile).state == "to do"


def test_a_step_of_which_nothing_is_required_is_not_done_by_what_is_optional() -> None:
    assert joint_state([], ["done", "by hand"]) == "to do"
    assert joint_state(["not applicable"], ["done"]) == "done"


def test_a_word_after_a_change_hides_no_failure_and_renews_a_pass(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "passed")
    change(portfile)
    add(portfile, CLAIM, "ticked", by="Ada")
    assert listed(portfile).state == "by hand"
    add(portfile, CLAIM, "failed")
    change(portfile)
    add(portfile, CLAIM, "ticked", by="Ada")
    assert listed(portfile).state == "stale"


def test_a_failure_that_is_expected_stands_beside_a_tick(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, CLAIM, "expected failure", "the reason")
    add(portfile, CLAIM, "ticked", by="Ada")
    assert listed(portfile).why == "fails as expected: the reason"
