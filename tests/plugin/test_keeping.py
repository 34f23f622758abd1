from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import RunPytest, WritePortfile

CHECKS = "--porting-checks=outputs_equal,weight_names,runs_repeat"


def kept(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "porting-evidence.json"
    records = json.loads(path.read_text())["records"] if path.exists() else []
    return {record["claim"]: record for record in records}


def test_what_checks_said_is_kept_with_the_command(
    run_pytest: RunPytest, write_portfile: WritePortfile, pytester: pytest.Pytester
) -> None:
    write_portfile(pytester.path, "model.down.bias.add_(1)", name="port/portfile.py")
    run_pytest("--porting-portfile=port/portfile.py", CHECKS)
    found = kept(pytester.path / "port")
    results = {name: record["result"] for name, record in found.items()}
    assert results == {
        "check_outputs_equal": "failed",
        "check_weight_names": "lacking",
        "check_runs_repeat": "passed",
    }
    assert found["check_runs_repeat"]["command"].startswith("pytest ")
    assert "--porting-portfile=port/portfile.py" in found["check_runs_repeat"]["command"]
    assert found["check_outputs_equal"]["message"].startswith("down is the first module to diverge")
    assert not kept(pytester.path)


@pytest.mark.parametrize("how", ["option", "ini"])
def test_no_evidence_is_kept_where_none_is_wanted(
    run_pytest: RunPytest, write_portfile: WritePortfile, pytester: pytest.Pytester, how: str
) -> None:
    write_portfile(pytester.path)
    if how == "ini":
        pytester.makeini("[pytest]\nporting_evidence = false")
    more = ("--porting-no-evidence",) if how == "option" else ()
    run_pytest("--porting-portfile=portfile.py", CHECKS, *more).assert_outcomes(passed=2, skipped=1)
    assert not kept(pytester.path)


def test_workers_lose_nothing(run_pytest: RunPytest, write_portfile: WritePortfile, pytester: pytest.Pytester) -> None:
    write_portfile(pytester.path)
    run_pytest("--porting-portfile=portfile.py", CHECKS, "-n2", subprocess=True)
    assert len(kept(pytester.path)) == 3
    assert {record["command"].split()[0] for record in kept(pytester.path).values()} == {"pytest"}


def test_a_loosened_tolerance_is_evidence_of_that_alone(
    run_pytest: RunPytest, write_portfile: WritePortfile, pytester: pytest.Pytester
) -> None:
    from porting.evidence import changes, newest_records
    from porting.portfile import Portfile

    portfile = Portfile.load(write_portfile(pytester.path, "model.down.bias.add_(0.1)"))
    run_pytest("--porting-portfile=portfile.py", CHECKS, "--porting-atol=1")
    record = newest_records(portfile)["check_outputs_equal"]
    assert record.result == "passed"
    assert changes(record, portfile) == ('TOLERANCE was {"atol": 1.0, "rtol": 0.001}, and is absent',)


def test_a_folder_that_cannot_be_written_gives_a_warning_and_no_failure(
    run_pytest: RunPytest, write_portfile: WritePortfile, pytester: pytest.Pytester
) -> None:
    write_portfile(pytester.path)
    (pytester.path / "porting-evidence.json").write_text("{")
    result = run_pytest("--porting-portfile=portfile.py", CHECKS)
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["Warning: no evidence was recorded: *is damaged*"])
