"""The plugin under pytest-xdist, and what reaches junit files."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

NAMES = ("check_weights_loaded", "check_outputs_equal", "check_hidden_states_equal")
WRONG = "model.act = nn.Identity()"


def test_workers_collect_and_tell_the_same(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "ports", WRONG)
    pytester.makeini(f"[pytest]\nporting_portfile = ports/portfile.py\nporting_checks = {','.join(NAMES)}\n")
    pytester.makepyfile(test_own="def test_own(verification): assert verification.verdict == 'mismatch'")
    options = ("--porting-report=all.json", "--porting-atol=0.002", "--junitxml=junit.xml")
    result = run_pytest("-n", "2", *options, subprocess=True)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "act is the first module to diverge*",
            "mismatch: *2 failed*",
            "tolerance loosened: atol 0.002 instead of 0.001",
            "first divergence: act",
            "culprit: act (missing-activation, proven)",
            "report: *all.json",
            "FAILED ports/portfile.py::check_*",
        ]
    )
    document = json.loads((pytester.path / "all.json").read_text())
    assert {check["id"] for check in document["checks"]} == {f"ports/portfile.py::{name}" for name in NAMES}
    assert _properties(pytester.path / "junit.xml", NAMES[1])["porting.verdict"] == "mismatch"


def test_workers_that_skip_everything_fail_the_run(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makeconftest(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        item.add_marker(pytest.mark.skip(reason='not today'))\n"
    )
    result = run_pytest("-n", "2", "--porting-portfile", "portfile.py", subprocess=True)
    result.stdout.fnmatch_lines(["every check was skipped, so that nothing was verified: the run fails"])
    assert result.ret == 1


@pytest.mark.parametrize("workers", [["-n", "2"], ["--tx", "2*popen", "--dist", "load"]])
def test_an_update_is_refused_with_more_than_one_worker(workers: list[str], run_pytest: RunPytest) -> None:
    result = run_pytest("--porting-update", *workers)
    result.stderr.fnmatch_lines(["ERROR: --porting-update writes golden traces, and 2 workers *: run it with -n 0"])
    assert result.ret == 4


def test_one_worker_may_update(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_own="def test_own(port_regression, original_trace): port_regression(original_trace)")
    options = ("-n", "1", "--porting-portfile", "portfile.py", "--porting-checks", "outputs_equal")
    run_pytest(*options, "--porting-update", subprocess=True).assert_outcomes(passed=2)
    assert (pytester.path / "goldens" / "test_own" / "test_own" / "manifest.json").is_file()


def test_junit_has_verdict_and_figures(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG)
    run_pytest("--porting-portfile", "portfile.py", "--porting-checks", ",".join(NAMES), "--junitxml=junit.xml")
    properties = _properties(pytester.path / "junit.xml", NAMES[1])
    assert (properties["porting.verdict"], properties["porting.status"]) == ("mismatch", "failed")
    assert 0.01 < float(properties["porting.max_abs"]) < 10
    assert properties["porting.first_divergence"] == "act"
    assert _properties(pytester.path / "junit.xml", NAMES[0])["porting.compared_weights"] == "4"


def _properties(path: Path, name: str) -> dict[str, str]:
    cases = ET.parse(path).getroot().iter("testcase")
    case = next(case for case in cases if case.get("name") == name)
    return {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
