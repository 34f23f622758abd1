from __future__ import annotations

from pathlib import Path

import pytest
from checked import result_of
from documented import filled, portfile_in, written

from porting.checks import CheckContext
from porting.checks.running.recording import outcome_of
from porting.evidence import Outcome, changes, newest_records, record
from porting.portfile import Portfile


@pytest.fixture
def portfile(tmp_path: Path) -> Portfile:
    found = portfile_in(tmp_path)
    written(found, "pull-request")
    filled(tmp_path / "pull-request.md")
    return found


def said(portfile: Portfile) -> tuple[str, str]:
    result = result_of("check_pull_request", CheckContext(portfile))
    return result.status, result.message


def test_evidence_of_an_earlier_state_is_refuted_until_it_is_written_anew(portfile: Portfile) -> None:
    assert said(portfile) == ("passed", "")
    outcome = Outcome("check_outputs_equal", 7, "failed", {"max_abs": 1.0})
    assert record(portfile, [outcome], "porting check") is None
    status, message = said(portfile)
    assert status == "failed"
    assert "earlier state" in message
    assert "7 failed" in message
    written(portfile, "pull-request")
    assert said(portfile) == ("passed", "")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("AI assistance: said by a person", "", "whether AI assisted"),
        ("AI assistance: said by a person", "AI assistance:", "whether AI assisted"),
        (
            "AI assistance: said by a person",
            "<!-- porting: own begin -->\nAI assistance: none\n<!-- porting: own end -->",
            "whether AI assisted",
        ),
        ("AI assistance: said by a person", "<INSERT A LINE HERE>", "is to be replaced"),
        ("<!-- steps:", "<!-- none:", "it has no evidence"),
    ],
)
def test_what_is_taken_out_is_missed(old: str, new: str, words: str, portfile: Portfile) -> None:
    path = portfile.folder / "pull-request.md"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    status, message = said(portfile)
    assert status == "failed"
    assert words in message


def test_the_proof_of_the_text_goes_stale_when_a_claim_of_another_step_ends_otherwise(portfile: Portfile) -> None:
    passed = outcome_of(portfile, result_of("check_pull_request", CheckContext(portfile)))
    assert passed.result == "passed"
    assert record(portfile, [passed], "porting check") is None
    own = newest_records(portfile)["check_pull_request"]
    assert record(portfile, [Outcome("ai-use", 14, "ticked", by="Ada", reason="none")], "porting checklist") is None
    assert changes(own, portfile) == ()
    assert record(portfile, [Outcome("check_outputs_equal", 7, "passed")], "porting verify") is None
    assert changes(own, portfile) == ("claims of other steps than 14 ended otherwise",)


def test_what_is_found_of_the_text_itself_does_not_make_it_out_of_date(portfile: Portfile) -> None:
    passed = outcome_of(portfile, result_of("check_pull_request", CheckContext(portfile)))
    assert record(portfile, [passed], "porting check") is None
    assert record(portfile, [Outcome("check_tree_clean", 14, "failed")], "porting check") is None
    assert said(portfile) == ("passed", "")
