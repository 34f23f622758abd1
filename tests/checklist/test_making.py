from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from evidenced import CLAIMS, add, change, complete, empty_port

from porting.checklist import Checklist, make_checklist
from porting.checklist.states import joint_state
from porting.checks import iterate_checks
from porting.evidence import FILE
from porting.recipe import STEPS

if TYPE_CHECKING:
    from pathlib import Path

    from porting.portfile import Portfile


@pytest.fixture(autouse=True)
def in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def states(checklist: Checklist) -> dict[int, str]:
    return {step.step.number: step.state for step in checklist.steps}


def test_without_evidence_everything_is_to_do(tmp_path: Path) -> None:
    checklist = make_checklist(empty_port(tmp_path))
    assert set(states(checklist).values()) == {"to do"}
    assert not checklist.complete
    assert checklist.exit_code == 1
    assert checklist.origin.records == 0


def test_every_claim_of_the_recipe_is_there_once(tmp_path: Path) -> None:
    names = [claim.claim.name for claim in make_checklist(empty_port(tmp_path)).claims]
    assert sorted(names) == sorted(CLAIMS)
    assert {check.name for check in iterate_checks()} <= set(names)


def test_all_passed_and_ticked_is_complete(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile)
    checklist = make_checklist(portfile)
    assert checklist.complete
    assert checklist.ok
    assert checklist.next.command == "porting checklist --markdown"
    people = {step.number for step in STEPS if step.person}
    assert states(checklist) == {
        n: "by hand" if n in people else "done" for n in range(1, 15) if n in states(checklist)
    }


def test_what_is_optional_never_makes_it_incomplete(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "theory", "check_notebook_runs", "ran-on-gpu", "check_float16")
    add(portfile, "check_float16", "failed", "it overflows")
    checklist = make_checklist(portfile)
    assert checklist.complete
    assert checklist.next.command == "porting checklist --markdown"
    assert states(checklist)[1] == states(checklist)[13] == "to do"
    assert states(checklist)[8] == "by hand"


def test_one_required_claim_decides_about_its_step(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "check_outputs_equal")
    assert states(make_checklist(portfile))[7] == "to do"
    add(portfile, "check_outputs_equal", "not applicable", "no outputs")
    assert states(make_checklist(portfile))[7] == "done"
    add(portfile, "check_outputs_equal", "failed", "they differ")
    assert states(make_checklist(portfile))[7] == "failed"


def test_a_step_of_which_nothing_applies_is_not_applicable(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    for claim in CLAIMS.values():
        if claim.step == 9:
            add(portfile, claim.name, "not applicable", "no tokenizer")
    step = make_checklist(portfile).steps[8]
    assert (step.state, len(step.applying)) == ("not applicable", 0)


def test_everything_is_stale_when_what_it_speaks_of_changed(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile)
    change(portfile)
    checklist = make_checklist(portfile)
    assert {claim.state for claim in checklist.claims} == {"stale"}
    assert checklist.next.text.startswith("stale: ")
    assert checklist.next.all == "porting checklist --run"


def test_the_gravest_comes_next_and_names_its_command(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "check_weights_used", "left-out")
    add(portfile, "check_weights_used", "lacking", "no rules()")
    following = make_checklist(portfile).next
    assert (following.step, following.command) == (6, "porting check weights_used")
    assert "if it cannot be: porting checklist --not-applicable check_weights_used --by NAME" in following.text
    assert following.all is None
    add(portfile, "check_outputs_equal", "failed", "they differ")
    following = make_checklist(portfile).next
    assert (following.step, following.command) == (7, "porting check outputs_equal")
    assert "they differ; mend that, then run this" in following.text


def test_a_persons_claim_comes_next_with_the_command_that_ticks_it(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "uploaded")
    following = make_checklist(portfile).next
    assert following.command == "porting checklist --tick uploaded --by NAME --reason TEXT"


def test_the_upload_is_the_persons_own_command_once_the_folder_is_complete(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "uploaded")
    assert make_checklist(portfile).next.first is None
    add(portfile, "check_converted_folder", "passed", upload="hf upload org/it ./converted .")
    following = make_checklist(portfile).next
    assert following.first == "hf upload org/it ./converted ."
    assert "hf upload org/it ./converted ." in make_checklist(portfile).text(140)
    change(portfile)
    add(portfile, "check_model_card", "passed")
    uploaded = next(claim for claim in make_checklist(portfile).claims if claim.claim.name == "uploaded")
    assert uploaded.first == ""


def test_what_a_check_lacks_is_made_first(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "check_model_card")
    assert make_checklist(portfile).next.command == "porting check model_card"
    add(portfile, "check_model_card", "lacking", "there is no README.md")
    assert make_checklist(portfile).next.command == "porting write card"
    (tmp_path / "converted").mkdir()
    (tmp_path / "converted" / "README.md").write_text("[[you: the licence]]")
    following = make_checklist(portfile).next
    assert (following.command, following.text) == (None, "to write in converted/README.md, line 1: the licence")


def test_commands_name_a_portfile_that_is_not_the_default(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    other = portfile.path.rename(tmp_path / "other port.py")
    command = make_checklist(type(portfile).load(other)).next.command
    assert command is not None
    assert command.endswith("other port.py'")


def test_records_of_claims_that_the_recipe_does_not_have_count_for_nothing(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    before = states(make_checklist(portfile))
    add(portfile, "check_of_my_own", "passed")
    add(portfile, "check_of_my_own", "failed", "it broke")
    checklist = make_checklist(portfile)
    assert states(checklist) == before
    assert checklist.unknown == ("check_of_my_own",)
    assert checklist.to_dict()["unknown_claims"] == ["check_of_my_own"]


def test_a_step_with_parts_left_to_write_is_not_done(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile)
    (tmp_path / "README.md").write_text("# A model\n\n[[you: what it is for]]\n")
    checklist = make_checklist(portfile)
    step = checklist.steps[11]
    assert (step.state, step.parts, checklist.parts) == ("to do", 1, 1)
    assert not checklist.complete
    assert checklist.next.text == "to write in README.md, line 3: what it is for"
    assert checklist.next.command is None


def test_the_origin_of_the_evidence_says_what_differs(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "passed")
    add(portfile, "check_eval_mode", "passed")
    document = json.loads((tmp_path / FILE).read_text())
    document["records"][0] |= {"commit": "a" * 40, "dirty": True, "device": "cpu"}
    document["records"][1] |= {"commit": "b" * 40, "dirty": False, "device": "cpu"}
    document["records"][1]["versions"]["transformers"] = "5.99.0"
    (tmp_path / FILE).write_text(json.dumps(document))
    origin = make_checklist(portfile).origin
    assert set(origin.commits) == {"a" * 12 + " (dirty)", "b" * 12}
    assert origin.devices == ("cpu",)
    assert "5.99.0" in dict(origin.versions)["transformers"]
    assert len(dict(origin.versions)["transformers"]) == 2


def test_json_keeps_its_fields(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "passed", largest=0.5)
    document = json.loads(json.dumps(make_checklist(portfile).to_dict(), allow_nan=False))
    assert [step["number"] for step in document["steps"]] == list(range(1, 15))
    assert {"number", "title", "state", "optional", "claims"} <= set(document["steps"][0])
    claim = next(each for each in document["steps"][6]["claims"] if each["claim"] == "check_outputs_equal")
    assert {"claim", "text", "state", "figures", "time", "command"} <= set(claim)
    assert (claim["figures"], claim["state"], claim["next"]) == ({"largest": 0.5}, "done", None)
    assert {"step", "text", "command"} <= set(document["next"])


def claim_state(portfile: Portfile, name: str) -> tuple[str, str]:
    claim = next(each for each in make_checklist(portfile).claims if each.claim.name == name)
    return claim.state, claim.why


def test_what_a_person_has_to_say_is_no_reason_to_run_everything(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "left-out", "check_tree_clean")
    following = make_checklist(portfile).next
    assert (following.step, following.all) == (6, None)
    add(portfile, "left-out", "ticked", by="Ada")
    following = make_checklist(portfile).next
    assert (following.command, following.all) == ("porting check tree_clean", None)


@pytest.mark.parametrize(("count", "state"), [(0, "not applicable"), (2, "to do")])
def test_a_figure_of_a_fresh_pass_settles_a_persons_claim(count: int, state: str, tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_weights_used", "passed", reasons_to_leave_out=count)
    assert claim_state(portfile, "left-out")[0] == state
    change(portfile)
    assert claim_state(portfile, "left-out")[0] == "to do"


def test_a_figure_does_not_stand_before_what_a_person_said(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "left-out", "ticked", by="Ada")
    add(portfile, "check_weights_used", "passed", reasons_to_leave_out=0)
    assert claim_state(portfile, "left-out") == ("by hand", "ticked by Ada: seen")


@pytest.mark.parametrize(("gpu", "state"), [("A100: equal", "done"), ("none here", "to do"), (None, "to do")])
def test_a_run_on_a_gpu_needs_nobody_to_say_so(gpu: str | None, state: str, tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_follows_device", "passed", gpu=gpu)
    assert claim_state(portfile, "ran-on-gpu")[0] == state


def test_nothing_that_is_required_is_to_do() -> None:
    assert joint_state([], ["done"]) == joint_state([]) == "to do"
    assert joint_state(["done"], ["failed"]) == "done"
