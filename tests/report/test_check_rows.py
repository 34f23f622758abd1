"""The table of `porting check`."""

from __future__ import annotations

import io

from rich.console import Console

from porting.checks import CheckReport, CheckResult
from porting.report.checks import render_checks


def printed(*results: CheckResult) -> list[str]:
    file = io.StringIO()
    Console(width=100, file=file).print(render_checks(CheckReport(results)))
    return file.getvalue().splitlines()


def test_neighbours_that_could_not_run_for_one_reason_share_a_row() -> None:
    reason = "ported() raised RuntimeError: no weights"
    lines = printed(
        CheckResult("check_one", 5, "error", reason),
        CheckResult("check_two", 5, "error", reason),
        CheckResult("check_three", 6, "error", reason),
    )
    assert sum(reason in line for line in lines) == 3  # step 5, step 6, and once in full


def test_neighbours_that_passed_keep_a_row_each_with_their_figures() -> None:
    lines = printed(
        CheckResult("check_one", 5, "passed", figures={"tensors": 3}),
        CheckResult("check_two", 5, "passed", figures={"tensors": 4}),
    )
    assert [line.split()[-1] for line in lines if "tensors" in line] == ["3", "4"]
