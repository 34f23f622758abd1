from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from evidenced import add, complete, empty_port, is_fresh

from porting.checklist import make_checklist, run_open
from porting.checklist.running import names_to_run
from porting.checks import iterate_checks
from porting.documents.pullrequest import evidence_of
from porting.evidence import FILE, records_by_claim
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

ALL = tuple(check.name for check in iterate_checks())
WANTED = {"check_outputs_equal", "check_eval_mode", "check_runs_repeat"}


def test_what_is_to_do_stale_or_failed_is_run(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    assert set(names_to_run(portfile)) == set(ALL)
    add(portfile, "check_outputs_equal", "passed")
    add(portfile, "check_eval_mode", "not applicable", "no model")
    add(portfile, "check_norms_equal", "failed", "eps")
    add(portfile, "check_order_equal", "lacking", "no original()")
    assert set(ALL) - set(names_to_run(portfile)) == {"check_outputs_equal", "check_eval_mode"}
    assert set(names_to_run(portfile, everything=True)) == set(ALL)


def settle_all_but_wanted(portfile: Portfile) -> None:
    for name in ALL:
        if name not in WANTED:
            add(portfile, name, "passed")


def test_open_checks_run_on_one_context_and_leave_evidence(tmp_path: Path, write_portfile: WritePortfile) -> None:
    portfile = Portfile.load(write_portfile(tmp_path))
    (tmp_path / "code.py").write_text("")
    settle_all_but_wanted(portfile)
    seen: list[str] = []
    report = run_open(portfile, progress=lambda name, done, total: seen.append(f"{name} {done}/{total}"))
    assert {result.name for result in report.results} == WANTED
    assert [words.split()[1] for words in seen] == ["0/3", "1/3", "2/3"]
    assert (tmp_path / "built.txt").read_text() == "ported\n"
    assert make_checklist(portfile).steps[6].state == "done"
    assert run_open(portfile).results == ()


def test_an_interruption_keeps_what_has_run(tmp_path: Path, write_portfile: WritePortfile) -> None:
    portfile = Portfile.load(write_portfile(tmp_path))
    (tmp_path / "code.py").write_text("")
    settle_all_but_wanted(portfile)

    def interrupt(name: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_open(portfile, progress=interrupt)
    assert len(WANTED & set(records_by_claim(portfile))) == 2


def test_evidence_is_kept_while_checks_run(
    tmp_path: Path, write_portfile: WritePortfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("porting.checklist.running.SECONDS", 0.0)
    portfile = Portfile.load(write_portfile(tmp_path))
    (tmp_path / "code.py").write_text("")
    settle_all_but_wanted(portfile)
    kept: list[int] = []
    run_open(portfile, progress=lambda *_: kept.append(len(WANTED & set(records_by_claim(portfile)))))
    assert kept == [0, 1, 2]


def test_a_claim_about_earlier_steps_sees_what_was_just_said_of_them(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile)
    evidence = evidence_of(make_checklist(portfile))
    (tmp_path / FILE).unlink()
    complete(portfile, "check_versions", "check_pull_request")
    (tmp_path / "pull-request.md").write_text(f"{evidence}\n\nAI assistance: none\n")
    assert [result.status for result in run_open(portfile).results] == ["passed", "passed"]
    assert is_fresh(portfile, "check_pull_request")


def test_evidence_that_cannot_be_kept_is_a_warning(
    tmp_path: Path, write_portfile: WritePortfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    portfile = Portfile.load(write_portfile(tmp_path))
    (tmp_path / "code.py").write_text("")
    settle_all_but_wanted(portfile)
    monkeypatch.setattr("porting.checks.record_checks", lambda *_: "Warning: no evidence was recorded: disk full")
    report = run_open(portfile)
    assert ("evidence", "Warning: no evidence was recorded: disk full") in report.warnings
