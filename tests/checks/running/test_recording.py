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
    assert {"function original", "function ported", "constant TOLERANCE"} <= set(records["check_outputs_equal"].about)


def test_a_record_goes_stale_by_a_change_and_not_by_a_comment(tmp_path: Path, write_portfile: WritePortfile) -> None:
    context = CheckContext(Portfile.load(write_portfile(tmp_path)))
    record_checks(context, run_checks(context, ["outputs_equal"]))
    assert changes(newest_records(context.portfile)["check_outputs_equal"], context.portfile) == ()
    path, text = context.portfile.path, context.portfile.path.read_text()
    path.write_text(f"{text}# a comment\n")
    assert changes(newest_records(context.portfile)["check_outputs_equal"], Portfile.load(path)) == ()
    path.write_text(text.replace("linspace(-1, 1, 40)", "linspace(-1, 2, 40)"))
    found = changes(newest_records(context.portfile)["check_outputs_equal"], Portfile.load(path))
    assert found == ("inputs() changed in portfile.py",)


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
