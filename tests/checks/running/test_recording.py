from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks import CheckContext, CheckReport, CheckResult, record_checks, run_checks
from porting.evidence import changes, newest_records
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]


def test_every_check_that_showed_something_leaves_a_record(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    report = run_checks(context, ["outputs_equal", "weights_loaded"])
    assert record_checks(context, report) is None
    records = newest_records(context.portfile)
    assert {name: (item.step, item.result) for name, item in records.items()} == {
        "check_outputs_equal": (7, "passed"),
        "check_weights_loaded": (6, "passed"),
    }
    assert records["check_outputs_equal"].figures["verdict"] == "match"
    assert records["check_outputs_equal"].command == "porting check"
    assert "file portfile.py" in records["check_outputs_equal"].about


def test_a_record_goes_stale_when_the_code_of_a_model_changes(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    record_checks(context, run_checks(context, ["outputs_equal"]))
    assert changes(newest_records(context.portfile)["check_outputs_equal"], context.portfile) == ()
    with context.portfile.path.open("a") as file:
        file.write("# changed\n")
    assert changes(newest_records(context.portfile)["check_outputs_equal"], context.portfile) != ()


def test_how_every_check_ended_is_kept_with_its_message(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    results = (
        CheckResult("check_a", 6, "skipped", "nothing is tied"),
        CheckResult("check_b", 6, "skipped", "the portfile has no rules()", lacking=True),
        CheckResult("check_c", 6, "error", "ported() raised"),
        CheckResult("check_d", 6, "expected failure", "known", figures={"size": 2}),
    )
    assert record_checks(context, CheckReport(results)) is None
    records = newest_records(context.portfile)
    assert {name: (item.result, item.message) for name, item in records.items()} == {
        "check_a": ("not applicable", "nothing is tied"),
        "check_b": ("lacking", "the portfile has no rules()"),
        "check_c": ("error", "ported() raised"),
        "check_d": ("expected failure", "known"),
    }
    assert records["check_d"].figures == {"size": 2}


def test_a_check_that_lacks_something_says_so_in_its_record(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    record_checks(context, run_checks(context, ["weight_names", "weights_tied"]))
    found = {name: item.result for name, item in newest_records(context.portfile).items()}
    assert found == {"check_weight_names": "lacking", "check_weights_tied": "not applicable"}
