from __future__ import annotations

from typing import TYPE_CHECKING

from evidenced import add, change, empty_port

from porting.documents.proofs import proofs_of, runs_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_command_is_told_with_how_its_claims_ended_and_what_is_stale(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_norms_equal", "passed")
    add(portfile, "check_float16", "failed")
    change(portfile)
    add(portfile, "check_eval_mode", "passed")
    add(portfile, "check_token_order", "passed")
    ((command, day, claims, counts),) = runs_of(portfile)
    assert (command, claims, counts) == ("porting check", 4, "2 stale, 2 passed")
    assert len(day) == 10


def test_a_figure_says_whether_it_still_holds(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "check_outputs_equal", "passed", max_abs=0.00012345)
    add(portfile, "check_token_ids_equal", "passed", compared_texts=1234)
    add(portfile, "check_weights_loaded", "passed")
    assert [(each.figure, each.state) for each in proofs_of(portfile)] == [("0.000123", "passed"), ("1,234", "passed")]
    change(portfile)
    assert {each.state for each in proofs_of(portfile)} == {"passed, and changed since"}
