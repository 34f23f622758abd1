"""Every option, and the ini key of the same name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from porting.checks import iterate_checks
from porting.pytest_plugin import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

PORTFILE = ("--porting-portfile", "portfile.py")
OUTPUTS = (*PORTFILE, "--porting-checks", "outputs_equal")
SMALL_BUG = "model.down.bias += 0.01"
HIDDEN_BUG = "model.down.bias += 1e-5"


def test_the_help_shows_one_group_with_an_ini_key_for_each_option_but_update(run_pytest: RunPytest) -> None:
    output = run_pytest("--help").stdout.str()
    names = [*OPTIONS, "strict"]
    assert output.count("porting: is a port the same model as its original?") == 1
    assert all(f"--porting-{name}" in output and f"porting_{name} (" in output for name in names)
    assert "--porting-update" in output
    assert "porting_update" not in output


# --porting-portfile


def test_the_configuration_file_names_the_portfile_from_its_own_folder(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "ports")
    pytester.makefile(".toml", pytest='[pytest]\nporting_portfile = "ports/portfile.py"\nstrict = true\n')
    result = run_pytest("--porting-checks", "outputs_equal")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["porting *: ports/portfile.py, *"])


def test_several_portfiles_are_named_one_a_line(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "one")
    write_portfile(pytester.path / "two")
    pytester.makeini("[pytest]\nporting_portfile =\n  one/portfile.py\n  two/portfile.py\n")
    run_pytest("--porting-checks", "outputs_equal").assert_outcomes(passed=2)


def test_a_run_of_named_files_does_not_come_to_the_portfile_of_the_configuration(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "ports")
    pytester.makeini("[pytest]\nporting_portfile = ports/portfile.py\nporting_checks = outputs_equal\n")
    pytester.makepyfile(test_own="def test_own(): pass")
    run_pytest("test_own.py").assert_outcomes(passed=1)
    run_pytest("test_own.py", "ports").assert_outcomes(passed=2)
    run_pytest("test_own.py", "--porting-portfile", "ports/portfile.py").assert_outcomes(passed=2)
    run_pytest().assert_outcomes(passed=2)


# --porting-checks, --porting-skip, --porting-step


@pytest.mark.parametrize(
    ("options", "ini", "names"),
    [
        (["--porting-checks", "outputs_equal,check_weights_loaded"], "", ["weights_loaded", "outputs_equal"]),
        (["--porting-checks=outputs_equal", "--porting-checks=hidden"], "", ["outputs_equal", "hidden_states_equal"]),
        (["--porting-step", "6", "--porting-skip", "*"], "", None),
        (["--porting-step", "7", "--porting-checks", "*s_equal", "--porting-skip", "hidden*"], "", ["outputs_equal"]),
        ([], "porting_checks = outputs_equal, hidden*", ["outputs_equal", "hidden_states_equal"]),
        (["--porting-checks", "hidden*"], "porting_checks = outputs_equal", ["hidden_states_equal"]),
        ([], "porting_step = 7\nporting_skip =\n  hidden*\nporting_checks = hidden*, outputs*", ["outputs_equal"]),
    ],
)
def test_checks_are_selected(
    options: list[str],
    ini: str,
    names: list[str] | None,
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    write_portfile: WritePortfile,
) -> None:
    write_portfile(pytester.path)
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = run_pytest(*PORTFILE, *options, "--collect-only", "-q")
    if names is None:
        result.stderr.fnmatch_lines(["ERROR: *no check is both selected and not left out*"])
        assert result.ret == 4
        return
    found = [line.partition("::check_")[2] for line in result.outlines if "::check_" in line]
    assert set(names) <= set(found)
    assert found == [check.name.removeprefix("check_") for check in iterate_checks() if check.name[6:] in found]
    assert "weights_loaded" in names or "weights_loaded" not in found


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("checks", "ouputs_equal", "*there is no check ouputs_equal; did you mean check_outputs_equal[?]"),
        ("skip", "ouputs_equal", "*there is no check ouputs_equal; did you mean check_outputs_equal[?]"),
        ("step", "15", "*step 15 of the recipe has no checks"),
        ("step", "six", "ERROR: --porting-step takes a number, and was given six"),
        ("atol", "-1", "ERROR: --porting-atol: atol must be a finite number of at least 0*"),
        ("rtol", "much", "ERROR: --porting-rtol takes a number, and was given much"),
        ("report", "results.xml", "ERROR: --porting-report writes JSON: *.json*"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_usage_error(
    option: str,
    value: str,
    message: str,
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    write_portfile: WritePortfile,
) -> None:
    write_portfile(pytester.path)
    result = run_pytest(*PORTFILE, f"--porting-{option}={value}")
    result.stderr.fnmatch_lines([message])
    assert result.ret == 4
    pytester.makeini(f"[pytest]\nporting_{option} = {value}\n")
    assert run_pytest(*PORTFILE).ret == 4


@pytest.mark.parametrize("option", ["--porting-checks=outputs", "--porting-step=7", "--porting-report=x.json"])
def test_an_option_of_the_checks_needs_a_portfile(option: str, run_pytest: RunPytest) -> None:
    result = run_pytest(option)
    result.stderr.fnmatch_lines(["ERROR: --porting-* is of the checks of a portfile: add --porting-portfile PATH"])
    assert result.ret == 4


# --porting-atol, --porting-rtol


def test_a_looser_tolerance_passes_more_and_is_shown_at_both_ends(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, SMALL_BUG)
    run_pytest(*OUTPUTS).assert_outcomes(failed=1)
    result = run_pytest(*OUTPUTS, "--porting-atol", "0.1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["porting *, tolerance overruled: atol 0.1", "tolerance loosened: atol 0.1 instead of 0.001"]
    )
    pytester.makeini("[pytest]\nporting_rtol = 10\nporting_atol = 1\n")
    result = run_pytest(*OUTPUTS)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["tolerance loosened: atol 1 instead of 0.001, rtol 10 instead of 0.001"])


def test_a_tighter_tolerance_is_not_called_loosened(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, HIDDEN_BUG)
    run_pytest(*OUTPUTS).assert_outcomes(passed=1)
    result = run_pytest(*OUTPUTS, "--porting-atol=1e-7", "--porting-rtol=0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["tolerance: atol 1e-07, rtol 0; on cpu"])
    result.stdout.no_fnmatch_line("tolerance loosened*")


@pytest.mark.parametrize("text", ["porting_atol = 1e-1", "porting_atol = 1"])
def test_a_tolerance_is_a_number_in_a_toml_file(
    text: str, pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, SMALL_BUG)
    pytester.makefile(".toml", pytest=f"[pytest]\n{text}\n")
    run_pytest(*OUTPUTS).assert_outcomes(passed=1)
    pytester.makefile(".toml", pytest='[pytest]\nporting_atol = "much"\n')
    result = run_pytest(*OUTPUTS)
    result.stderr.fnmatch_lines(["ERROR: *porting_atol*expects a float, *"])
    assert result.ret == 4


def test_older_configuration_files_may_list_portfiles(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "one")
    write_portfile(pytester.path / "two")
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nporting_portfile = ["one/portfile.py", "two/portfile.py"]\n'
    )
    run_pytest("--porting-checks", "outputs_equal", "-W", "ignore").assert_outcomes(passed=2)


# --porting-strict


@pytest.mark.parametrize(
    ("option", "ini", "ok"),
    [("", "", True), ("strict", "", False), ("", "true", False)],
    ids=["neither", "option", "ini"],
)
def test_strict_makes_a_suspicious_verification_fail(
    option: str,
    ini: str,
    ok: bool,
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    write_portfile: WritePortfile,
) -> None:
    write_portfile(pytester.path, HIDDEN_BUG)
    pytester.makeini(f"[pytest]\n{f'porting_strict = {ini}' if ini else ''}\n")
    pytester.makepyfile(
        "def test_own(verification):\n    assert verification.verdict == 'suspicious'\n    verification.assert_ok()"
    )
    result = run_pytest(*OUTPUTS, *([f"--porting-{option}"] if option else []), "-k", "test_own")
    result.assert_outcomes(passed=int(ok), failed=int(not ok), deselected=1)


# --porting-report


def test_the_report_has_what_every_check_said(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, SMALL_BUG, 'EXPECTED_FAILURES = {"check_hidden_states_equal": "later"}')
    names = "weights_loaded,outputs_equal,hidden_states_equal"
    result = run_pytest(*PORTFILE, "--porting-checks", names, "--porting-report", "out/all.json")
    document = _read(pytester.path / "out" / "all.json")
    assert (document["schema"], document["ok"]) == (1, False)
    by_name = {check["name"]: check for check in document["checks"]}
    assert by_name["check_outputs_equal"]["status"] == "failed"
    assert by_name["check_outputs_equal"]["id"] == "portfile.py::check_outputs_equal"
    assert by_name["check_outputs_equal"]["figures"]["verdict"] == "mismatch"
    assert by_name["check_outputs_equal"]["hint"].startswith("mend ")
    assert by_name["check_hidden_states_equal"]["status"] == "expected failure"
    assert document["counts"]["expected failure"] == 1
    result.stdout.fnmatch_lines(["report: *all.json"])


def test_the_report_of_the_configuration_lies_beside_it(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makeini("[pytest]\nporting_report = results.json\n")
    run_pytest(*OUTPUTS)
    assert _read(pytester.path / "results.json")["ok"] is True


def test_a_report_that_cannot_be_written_fails_the_run(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    (pytester.path / "taken").write_text("")
    result = run_pytest(*OUTPUTS, "--porting-report", "taken/all.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["cannot make */taken: *", "Next: *"])
    assert result.ret == 1


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document
