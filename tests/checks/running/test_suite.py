from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from porting.checks import (
    CheckContext,
    CheckReport,
    CheckResult,
    ClaimRefuted,
    Figures,
    Inconclusive,
    SelectionError,
    Skip,
    forward,
    run_checks,
)
from porting.errors import CaptureError, MismatchError, PortfileError
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

FORWARD = ("check_outputs_equal", "check_hidden_states_equal")


@pytest.fixture
def portfile(tmp_path: Path, write_portfile: WritePortfile) -> Portfile:
    return Portfile.load(write_portfile(tmp_path))


def test_the_checks_run_in_order_and_report_which_one_runs(portfile: Portfile) -> None:
    said: list[tuple[str, int, int]] = []
    report = run_checks(portfile, FORWARD, progress=lambda *args: said.append(args))
    assert [result.name for result in report.results] == list(FORWARD)
    assert said == [(FORWARD[0], 0, 2), (FORWARD[1], 1, 2)]
    assert (report.ok, report.exit_code, report.summary()) == (True, 0, "passed: 2 passed")


def test_models_are_built_once(portfile: Portfile) -> None:
    run_checks(portfile, FORWARD)
    assert (portfile.folder / "built.txt").read_text() == "ported\n"


def test_a_context_that_has_run_a_part_is_used(portfile: Portfile) -> None:
    context = CheckContext(portfile)
    assert context.verification.ok
    assert run_checks(context, FORWARD).ok
    assert (portfile.folder / "built.txt").read_text() == "ported\n"


def test_what_weakens_the_results_is_told(tmp_path: Path, write_portfile: WritePortfile) -> None:
    weak = "def inputs():\n    import torch\n    return {'input': torch.linspace(-1, 1, 20).reshape(1, 5, 4)}"
    report = run_checks(Portfile.load(write_portfile(tmp_path, extra=weak)), FORWARD)
    assert report.ok
    assert [warning["code"] for warning in report.to_dict()["warnings"]] == [code for code, _ in report.warnings]
    assert f"[{report.warnings[0][0]}]" in report.text()


def test_a_bug_in_one_check_leaves_the_results_of_the_others(
    portfile: Portfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run_with(portfile, monkeypatch, ZeroDivisionError("oh"))
    assert [result.status for result in report.results] == ["error", "passed"]
    assert report.exit_code == 5
    assert report.results[0].message == "a bug in porting itself: ZeroDivisionError: oh"
    assert isinstance(report.results[0].exception, ZeroDivisionError)
    assert "--debug" in report.failure_message()


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (ClaimRefuted("no"), 1),
        (Inconclusive("no"), 3),
        (CaptureError("no"), 4),
        (MemoryError(), 4),
        (SystemExit(0), 4),
        (Skip("no"), 0),
    ],
)
def test_the_exit_code_is_that_of_the_failure(
    ending: BaseException, code: int, portfile: Portfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_with(portfile, monkeypatch, ending).exit_code == code


def test_an_interruption_is_passed_on(portfile: Portfile, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_with(portfile, monkeypatch, KeyboardInterrupt())


def test_what_cannot_be_selected_or_expected_is_refused(tmp_path: Path, write_portfile: WritePortfile) -> None:
    path = write_portfile(tmp_path, extra='EXPECTED_FAILURES = {"check_nothing": "who knows"}')
    with pytest.raises(PortfileError, match="check_nothing"):
        run_checks(Portfile.load(path))
    with pytest.raises(SelectionError):
        run_checks(Portfile.load(path), ["nowhere"])
    assert not (tmp_path / "built.txt").exists()


@pytest.mark.parametrize(
    ("statuses", "code", "summary"),
    [
        (["passed", "skipped"], 0, "passed: 1 passed, 1 skipped"),
        (["expected failure"], 0, "passed: 1 expected failure"),
        (["inconclusive", "error", "failed", "passed"], 1, "failed: 1 passed, 1 failed, 1 inconclusive, 1 error"),
        (["inconclusive", "error"], 4, "could not run: 1 inconclusive, 1 error"),
        (["inconclusive", "passed"], 3, "inconclusive: 1 passed, 1 inconclusive"),
        (["skipped", "skipped"], 3, "inconclusive: 2 skipped; nothing was verified"),
        ([], 3, "inconclusive: no check ran; nothing was verified"),
    ],
)
def test_a_failure_decides_before_what_could_not_run_and_that_before_inconclusive(
    statuses: list[str], code: int, summary: str
) -> None:
    report = report_of(*statuses)
    assert report.exit_code == code
    assert report.ok == (code == 0)
    assert report.summary().startswith(summary)


def test_the_first_result_with_the_deciding_code_is_named() -> None:
    report = report_of("inconclusive", "passed", "failed", "failed")
    assert report.summary().endswith("; first: check_2")
    with pytest.raises(MismatchError, match=r"check_0 \(inconclusive\)\nwrong 0\n\nNext: mend 0\n\ncheck_2"):
        report.assert_ok()


def test_the_document_is_json_without_nan() -> None:
    figures: Figures = {"max_abs": math.nan, "size": 2, "mean": np.float64(0.5)}
    result = CheckResult("check_mine", 7, "passed", figures=figures, claim="It is so.")
    document = json.loads(json.dumps(CheckReport((result,)).to_dict(), allow_nan=False))
    assert (document["schema"], document["ok"], document["counts"]) == (1, True, {"passed": 1})
    assert document["checks"][0]["figures"] == {"max_abs": None, "size": 2, "mean": 0.5}
    assert type(result.to_dict()["figures"]["mean"]) is float
    assert document["checks"][0]["claim"] == "It is so."


class Panic(BaseException):
    """As libraries written in Rust raise it."""


def test_a_panic_takes_no_other_result_away(portfile: Portfile, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run_with(portfile, monkeypatch, Panic("over"))
    assert [result.status for result in report.results] == ["error", "passed"]
    assert "Panic: over" in report.results[0].message
    assert report.exit_code == 4
    with pytest.raises(KeyboardInterrupt):
        run_with(portfile, monkeypatch, KeyboardInterrupt())


def run_with(portfile: Portfile, monkeypatch: pytest.MonkeyPatch, ending: BaseException) -> CheckReport:
    """The report of the checks of the forward, where the first one ends like this."""

    def check_outputs_equal(context: CheckContext) -> Figures:
        raise ending

    monkeypatch.setattr(forward, "CHECKS", (check_outputs_equal, forward.check_hidden_states_equal))
    return run_checks(portfile, FORWARD)


def report_of(*statuses: str) -> CheckReport:
    return CheckReport(
        tuple(
            CheckResult(f"check_{number}", 7, status, f"wrong {number}", f"mend {number}")  # type: ignore[arg-type]
            for number, status in enumerate(statuses)
        )
    )
