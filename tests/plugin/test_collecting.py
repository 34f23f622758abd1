"""Which items a run has, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from porting.checks import iterate_checks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

ALL = [check.name for check in iterate_checks()]
NAMES = ("check_weights_loaded", "check_outputs_equal", "check_hidden_states_equal")
OPTION = ("--porting-portfile", "portfile.py", "--porting-checks", ",".join(NAMES))


def test_every_check_is_an_item_with_a_readable_id_and_nothing_is_built(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    result = run_pytest("--porting-portfile", "portfile.py", "--collect-only", "-q")
    result.stdout.fnmatch_lines([f"portfile.py::{name}" for name in ALL])
    assert not (pytester.path / "built.txt").exists()


def test_a_right_port_passes_and_its_models_are_built_once(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    result = run_pytest(*OPTION)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["porting *: portfile.py, torch *", "=* porting: portfile.py =*", "match: 3 passed"])
    assert result.ret == 0
    assert (pytester.path / "built.txt").read_text() == "ported\n"


def test_one_check_is_run_by_its_id(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    run_pytest(*OPTION, "portfile.py::check_outputs_equal").assert_outcomes(passed=1)


def test_checks_are_collected_beside_own_tests_and_once(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_own="def test_own(): pass", test_other="def test_other(): pass")
    run_pytest(*OPTION).assert_outcomes(passed=5)
    run_pytest(*OPTION, ".", "portfile.py").assert_outcomes(passed=5)
    run_pytest(*OPTION, "test_own.py").assert_outcomes(passed=4)
    run_pytest(*OPTION, "test_own.py", "-k", "test_own or outputs").assert_outcomes(passed=2, deselected=2)


def test_the_marker_selects_the_checks_under_strict_markers(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_own="def test_own(): pass")
    pytester.makefile(".toml", pytest="[pytest]\nstrict = true\n")
    run_pytest(*OPTION, "-m", "porting").assert_outcomes(passed=3, deselected=1)
    run_pytest(*OPTION, "-m", "not porting").assert_outcomes(passed=1, deselected=3)
    run_pytest("--markers").stdout.fnmatch_lines(["@pytest.mark.porting(portfile=PATH): *"])


def test_the_portfile_may_lie_outside_of_the_root(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    port = write_portfile(pytester.path / "ports" / "mine")
    work = pytester.mkdir("work")
    (work / "pytest.ini").touch()
    pytester.makepyfile(**{"work/test_own": "def test_own(): pass"})
    result = run_pytest("--rootdir", str(work), "work", *OPTION[2:], "--porting-portfile", str(port), "-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*::check_outputs_equal PASSED*"])


def test_a_link_to_a_portfile_has_its_own_folder(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    (pytester.path / "link").mkdir()
    (pytester.path / "link" / "portfile.py").symlink_to(write_portfile(pytester.path / "real"))
    pytester.makepyfile("""
        import pytest

        @pytest.mark.porting(portfile="other/../link/portfile.py")
        def test_own(verification): assert verification.ok
    """)
    run_pytest("--porting-portfile", "link/../link/portfile.py", *OPTION[2:]).assert_outcomes(passed=4)
    assert (pytester.path / "link" / "built.txt").read_text() == "ported\n"
    assert not (pytester.path / "real" / "built.txt").exists()


def test_several_portfiles_are_collected_and_told_apart(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "one")
    write_portfile(pytester.path / "two", "model.act = nn.Identity()")
    ports = ("--porting-portfile", "one/portfile.py", "--porting-portfile", "two/portfile.py")
    result = run_pytest(*ports, *OPTION[2:])
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        [
            "=* porting: one/portfile.py, two/portfile.py =*",
            "one/portfile.py:",
            "match: 3 passed",
            "two/portfile.py:",
            "mismatch: 1 passed, 2 failed",
            "FAILED two/portfile.py::check_outputs_equal - act is the first*",
        ]
    )


def test_a_missing_portfile_is_a_usage_error(run_pytest: RunPytest) -> None:
    result = run_pytest("--porting-portfile", "nowhere.py")
    result.stderr.fnmatch_lines(["ERROR: the portfile *nowhere.py does not exist; *"])
    assert result.ret == 4
    run_pytest("--porting-portfile", ".").stderr.fnmatch_lines(["ERROR: the portfile * is not a file; *"])


def test_a_portfile_that_pytest_passes_over_is_an_error(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "build")
    pytester.makepyfile("def test_own(): pass")
    result = run_pytest("--porting-portfile", "build/portfile.py")
    result.stderr.fnmatch_lines(["ERROR: pytest did not collect the portfile *"])
    assert result.ret == 4


def test_a_portfile_that_cannot_be_run_is_one_collection_error(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    (pytester.path / "portfile.py").write_text("def original(:\n")
    pytester.makepyfile("def test_own(): pass")
    result = run_pytest(*OPTION)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["_* ERROR collecting portfile.py _*", "*cannot be run: SyntaxError*", "Next: *"])
    assert "Traceback" not in result.stdout.str()
    assert result.ret == 2


def test_expecting_the_failure_of_an_unknown_check_is_a_collection_error(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, extra='EXPECTED_FAILURES = {"check_output_equal": "who knows"}')
    result = run_pytest(*OPTION)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*check_output_equal*did you mean check_outputs_equal?"])


def test_the_last_failures_and_the_first_alone_can_be_run(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, "model.act = nn.Identity()")
    run_pytest(*OPTION, "-x").assert_outcomes(passed=1, failed=1)
    run_pytest(*OPTION, "-p", "cacheprovider").assert_outcomes(passed=1, failed=2)
    run_pytest(*OPTION, "-p", "cacheprovider", "--lf").assert_outcomes(failed=2)


def test_a_project_with_checks_and_templates_of_its_own_is_not_disturbed(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(
        checks="def check_mine(): return 1",
        templates="TEXT = 'mine'",
        test_own="import checks, templates\ndef test_own(): assert checks.check_mine() == 1 and templates.TEXT",
    )
    run_pytest(*OPTION, subprocess=True).assert_outcomes(passed=4)


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_tests_in_folders_called_porting_and_checks_run_under_every_import_mode(
    mode: str, pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(
        **{
            "tests/porting/test_inner": "from porting import Portfile\ndef test_inner(): assert Portfile",
            "tests/checks/test_other": "def test_other(): pass",
            "more/__init__": "",
            "more/porting/__init__": "",
            "more/porting/test_more": "def test_more(): pass",
        }
    )
    run_pytest(*OPTION, f"--import-mode={mode}").assert_outcomes(passed=6)
