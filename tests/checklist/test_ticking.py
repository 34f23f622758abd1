from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from evidenced import CLAIMS, add, change, complete, empty_port, is_fresh, newest

from porting.checklist import TickError, make_checklist, set_aside, tick, untick
from porting.errors import OutputError
from porting.evidence import KEPT, Outcome, record, records_by_claim
from porting.portfile import Portfile

if TYPE_CHECKING:
    from pathlib import Path


def state(portfile: Portfile, name: str) -> str:
    return next(claim.state for claim in make_checklist(portfile).claims if claim.claim.name == name)


def test_a_tick_keeps_who_and_why(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    assert tick(portfile, "theory", " Ada ", " read the paper ").name == "theory"
    record = newest(portfile, "theory")
    assert (record.result, record.by, record.reason) == ("ticked", "Ada", "read the paper")
    assert state(portfile, "theory") == "by hand"


@pytest.mark.parametrize(("by", "reason"), [("", "seen"), ("Ada", ""), (" \t", "seen"), ("Ada", "\n")])
def test_a_tick_needs_a_name_and_a_reason(tmp_path: Path, by: str, reason: str) -> None:
    portfile = empty_port(tmp_path)
    with pytest.raises(TickError, match="a name and a reason"):
        tick(portfile, "theory", by, reason)
    assert records_by_claim(portfile) == {}


@pytest.mark.parametrize(
    ("given", "meant"),
    [("theorie", "theory"), ("check_output_equal", "check_outputs_equal"), ("outputs_equals", "check_outputs_equal")],
)
def test_an_unknown_claim_is_refused_with_the_nearest_one(tmp_path: Path, given: str, meant: str) -> None:
    with pytest.raises(TickError, match=f"did you mean {meant}"):
        tick(empty_port(tmp_path), given, "Ada", "seen")


def test_a_name_that_is_near_nothing_is_shown_escaped(tmp_path: Path) -> None:
    with pytest.raises(TickError) as raised:
        tick(empty_port(tmp_path), "\x1b[31m\u202e", "Ada", "seen")
    assert "\x1b" not in raised.value.message
    assert "left-out" in raised.value.hint


def test_a_check_that_could_not_be_run_can_be_ticked_with_or_without_its_prefix(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "lacking", "the original needs another machine")
    tick(portfile, "outputs_equal", "Ada", "compared on that machine")
    assert state(portfile, "check_outputs_equal") == "by hand"
    tick(portfile, "check_eval_mode", "Ada", "seen")
    assert state(portfile, "check_eval_mode") == "by hand"


@pytest.mark.parametrize("later", ["", "error", "lacking", "inconclusive"])
def test_a_failure_cannot_be_ticked_or_set_aside(tmp_path: Path, later: str) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "failed", "act differs")
    if later:
        add(portfile, "check_outputs_equal", later)
    for keep in (tick, set_aside):
        with pytest.raises(TickError, match="does not hide a failure") as raised:
            keep(portfile, "outputs_equal", "Ada", "it is fine")
        assert "EXPECTED_FAILURES" in raised.value.hint
    assert state(portfile, "check_outputs_equal") == "failed"


def test_a_stale_failure_is_run_again_and_not_ticked(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "failed", "act differs")
    change(portfile)
    with pytest.raises(TickError, match="does not hide"):
        tick(portfile, "outputs_equal", "Ada", "mended")


def test_what_passed_needs_no_tick(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "passed")
    with pytest.raises(TickError, match="nothing to tick"):
        tick(portfile, "outputs_equal", "Ada", "seen")


def test_a_tick_goes_stale_with_what_its_claim_speaks_of(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "lacking", "no original()")
    add(portfile, "check_structure", "passed")
    tick(portfile, "outputs_equal", "Ada", "compared elsewhere")
    tick(portfile, "special-tests", "Ada", "test_window.py")
    tick(portfile, "ai-use", "Ada", "none")
    change(portfile)
    assert state(portfile, "check_outputs_equal") == state(portfile, "special-tests") == "stale"
    assert state(portfile, "ai-use") == "by hand"
    claims = {claim.claim.name: claim for claim in make_checklist(portfile).claims}
    assert claims["special-tests"].why == "ticked by Ada: test_window.py; since then: code.py changed"


def test_a_tick_on_stale_evidence_speaks_of_what_is_there_today(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_structure", "passed")
    change(portfile)
    tick(portfile, "special-tests", "Ada", "test_window.py")
    assert is_fresh(portfile, "special-tests")


def test_a_person_speaks_of_files_and_functions_and_not_of_versions(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    about = {"version torch": "0.0", "expected check_structure": "known", "function ported": "0", "file code.py": "0"}
    about |= {"evidence 5": "0", "until 2020-01-01 00:00 UTC": "to come"}
    record(portfile, [Outcome("check_structure", 5, "passed", about=about)], "porting check")
    tick(portfile, "read-every-line", "Ada", "read")
    assert set(newest(portfile, "read-every-line").about) == {"function ported", "file code.py"}
    assert is_fresh(portfile, "read-every-line")


RULES = """
def checkpoint(): return "model.bin"
def rules(): return [{dropped!r}]
"""


def test_what_is_left_out_speaks_of_the_checkpoint_and_the_rules(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    portfile = empty_port(tmp_path, RULES.format(dropped="a"))
    tick(portfile, "left-out", "Ada", "computed by the port")
    assert state(portfile, "left-out") == "by hand"
    change(portfile)
    assert is_fresh(portfile, "left-out")
    assert not is_fresh(empty_port(tmp_path, RULES.format(dropped="b")), "left-out")
    assert is_fresh(empty_port(tmp_path, RULES.format(dropped="a")), "left-out")
    (tmp_path / "model.bin").write_bytes(b"other weights")
    assert state(portfile, "left-out") == "stale"


def test_ticks_are_taken_back_and_nothing_else(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "lacking", "no original()")
    tick(portfile, "outputs_equal", "Ada", "seen")
    tick(portfile, "theory", "Ada", "seen")
    assert [claim.name for claim in untick(portfile, "outputs_equal")] == ["check_outputs_equal"]
    assert newest(portfile, "check_outputs_equal").result == "lacking"
    assert state(portfile, "theory") == "by hand"
    with pytest.raises(TickError, match="nobody ticked"):
        untick(portfile, "outputs_equal")


def test_a_step_is_set_aside_but_for_what_was_found(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_token_ids_equal", "not applicable", "no tokenizer")
    names = {claim.name for claim in set_aside(portfile, "9", "Ada", "the model has no tokenizer")}
    assert names == {claim.name for claim in CLAIMS.values() if claim.step == 9} - {"check_token_ids_equal"}
    step = make_checklist(portfile).steps[8]
    assert step.state == "not applicable"
    assert "by hand, Ada: the model has no tokenizer" in {claim.why for claim in step.claims}
    with pytest.raises(TickError, match="nothing of step 9 is open"):
        set_aside(portfile, "9", "Ada", "again")
    assert len(untick(portfile, "9")) == len(names)
    assert make_checklist(portfile).steps[8].state == "to do"


def test_a_step_with_a_failure_is_not_set_aside(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_token_ids_equal", "failed", "other ids")
    with pytest.raises(TickError, match="does not hide a failure"):
        set_aside(portfile, "9", "Ada", "no tokenizer")
    assert make_checklist(portfile).steps[8].state == "failed"


@pytest.mark.parametrize("number", ["0", "15", "999999999999"])
def test_there_are_14_steps(tmp_path: Path, number: str) -> None:
    with pytest.raises(TickError, match="1 to 14"):
        set_aside(empty_port(tmp_path), number, "Ada", "seen")
    with pytest.raises(TickError, match="1 to 14"):
        untick(empty_port(tmp_path), number)


def test_runs_do_not_push_out_what_a_person_said(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    tick(portfile, "outputs_equal", "Ada", "seen")
    for _ in range(KEPT + 3):
        add(portfile, "check_outputs_equal", "error", "no memory")
    assert state(portfile, "check_outputs_equal") == "by hand"
    complete(portfile)
    assert state(portfile, "check_outputs_equal") == "done"


def test_a_reason_as_long_as_a_book_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TickError, match="at most 2000"):
        tick(empty_port(tmp_path), "theory", "Ada", "x" * 100_000)


def test_a_tick_that_cannot_be_kept_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    portfile = empty_port(tmp_path)
    tick(portfile, "theory", "Ada", "read the paper")
    monkeypatch.setattr("porting.atomic.os.fsync", refuse)
    for say in (lambda: tick(portfile, "ai-use", "Ada", "none"), lambda: untick(portfile, "theory")):
        with pytest.raises(OutputError, match="No space left") as caught:
            say()
        assert caught.value.exit_code == 4
    assert set(records_by_claim(portfile)) == {"theory"}


def test_a_tick_is_taken_back_for_its_portfile_alone(tmp_path: Path) -> None:
    one = empty_port(tmp_path)
    (tmp_path / "other.py").write_text(one.path.read_text())
    other = Portfile.load(tmp_path / "other.py")
    for portfile in (one, other):
        tick(portfile, "theory", "Ada", "read")
    untick(one, "theory")
    assert (records_by_claim(one), set(records_by_claim(other))) == ({}, {"theory"})


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if claim.person and claim.person.rests_on])
def test_the_tick_of_a_claim_goes_stale_with_what_its_check_speaks_of(name: str, tmp_path: Path) -> None:
    portfile, person = empty_port(tmp_path), CLAIMS[name].person
    assert person is not None
    add(portfile, person.rests_on, "passed")
    tick(portfile, name, "Ada", "seen")
    assert state(portfile, name) == "by hand"
    change(portfile)
    assert state(portfile, name) == "stale"


def test_what_is_uploaded_and_written_rests_on_its_check() -> None:
    rests = {name: claim.person.rests_on for name, claim in CLAIMS.items() if claim.person and claim.person.rests_on}
    wanted = {"uploaded": "check_converted_folder", "page-complete": "check_doc_page"}
    assert wanted.items() <= rests.items()
    assert rests["read-every-line"] == rests["special-tests"] == "check_structure"
