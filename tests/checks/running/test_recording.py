from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks import CheckContext, CheckReport, CheckResult, record_checks, run_checks
from porting.evidence import is_stale, newest_records
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
    assert str(context.portfile.path) in records["check_outputs_equal"].sources


def test_a_record_goes_stale_when_the_code_of_a_model_changes(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    record_checks(context, run_checks(context, ["outputs_equal"]))
    assert not is_stale(newest_records(context.portfile)["check_outputs_equal"], context.portfile)
    with context.portfile.path.open("a") as file:
        file.write("# changed\n")
    assert is_stale(newest_records(context.portfile)["check_outputs_equal"], context.portfile)


def test_what_was_skipped_or_could_not_run_leaves_none(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    results = (CheckResult("check_a", 6, "skipped"), CheckResult("check_b", 6, "error"))
    assert record_checks(context, CheckReport(results)) is None
    assert newest_records(context.portfile) == {}


def test_an_expected_failure_is_a_failure_that_was_expected(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    record_checks(context, CheckReport((CheckResult("check_a", 6, "expected failure", figures={"size": 2}),)))
    item = newest_records(context.portfile)["check_a"]
    assert (item.result, item.figures) == ("failed", {"size": 2, "expected": True})
