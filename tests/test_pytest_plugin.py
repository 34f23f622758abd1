from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

OPTION = ("--porting-portfile", "portfile.py")
NAMES = ("check_weights_loaded", "check_outputs_equal", "check_hidden_states_equal")
IDS = [f"portfile.py::{name}" for name in NAMES]
WRONG_ACTIVATION = "model.act = nn.Identity()"
WRONG_WEIGHT = "model.down.weight[0] += 1"


def test_a_right_port_passes(pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile) -> None:
    write_portfile(pytester.path)
    result = run_pytest(*OPTION)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["porting *: portfile.py", "=* porting: portfile.py =*", "match: 3 passed"])
    assert result.ret == 0


def test_models_are_built_once(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    run_pytest(*OPTION).assert_outcomes(passed=3)
    assert (pytester.path / "built.txt").read_text() == "ported\n"


def test_a_broken_port_fails_and_the_module_is_named_first(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG_ACTIVATION)
    result = run_pytest(*OPTION)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "_* check_outputs_equal _*",
            "act is the first module to diverge; output result: max abs *",
            "Outputs not within 0.001: 1 of 1",
            "    Greatest absolute difference: *",
            "Culprit act (output):",
            "Next: mend act, then: porting verify --strict",
            "_* check_hidden_states_equal _*",
            "act is the first module to diverge (in the original: act): max abs *",
            "Next: *",
            "mismatch: 1 passed, 2 failed",
            "first divergence: act",
            "culprit: act",
            "FAILED portfile.py::check_outputs_equal - act is the first module to diverge*",
        ]
    )


def test_a_failure_shows_no_traceback(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG_ACTIVATION)
    output = run_pytest(*OPTION).stdout.str()
    assert "Traceback" not in output
    assert "pytest_plugin.py" not in output
    assert "MismatchError" not in output


def test_a_weight_that_was_not_loaded_is_named(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG_WEIGHT)
    result = run_pytest(*OPTION, "-k", "weights")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["down: weight differs from the original's weight *", "Next: load it *"])


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


def test_a_missing_portfile_is_a_usage_error(run_pytest: RunPytest) -> None:
    result = run_pytest("--porting-portfile", "nowhere.py")
    result.stderr.fnmatch_lines(["ERROR: the portfile *nowhere.py does not exist; *"])
    assert result.ret == 4


def test_a_model_that_cannot_be_built_fails_every_check_without_traceback(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, 'raise RuntimeError("no checkpoint here")')
    result = run_pytest(*OPTION)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["ported() raised RuntimeError: no checkpoint here*", "not compared: 3 error"])
    assert "Traceback" not in result.stdout.str()
    assert (pytester.path / "built.txt").read_text() == "ported\n"


def test_ids_are_readable(pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile) -> None:
    write_portfile(pytester.path)
    result = run_pytest(*OPTION, "--collect-only", "-q")
    result.stdout.fnmatch_lines(IDS)
    assert not (pytester.path / "built.txt").exists()


def test_one_check_is_run_by_its_id(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    run_pytest(*OPTION, IDS[1]).assert_outcomes(passed=1)


def test_checks_are_collected_beside_own_tests_and_once(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_own="def test_own(): pass", test_other="def test_other(): pass")
    run_pytest(*OPTION).assert_outcomes(passed=5)
    run_pytest(*OPTION, ".", "portfile.py").assert_outcomes(passed=5)
    run_pytest(*OPTION, "test_own.py").assert_outcomes(passed=4)
    run_pytest(*OPTION, "test_own.py", "-k", "test_own or outputs").assert_outcomes(passed=2, deselected=2)


def test_the_portfile_may_lie_outside_of_the_root(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    port = write_portfile(pytester.path / "ports" / "mine")
    work = pytester.mkdir("work")
    (work / "pytest.ini").touch()
    pytester.makepyfile(**{"work/test_own": "def test_own(): pass"})
    pytester.chdir()
    result = run_pytest("--rootdir", str(work), "work", "--porting-portfile", str(port), "-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*::check_outputs_equal PASSED*"])


def test_a_portfile_that_pytest_passes_over_is_an_error(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "build")
    pytester.makepyfile("def test_own(): pass")
    result = run_pytest("--porting-portfile", "build/portfile.py")
    result.stderr.fnmatch_lines(["ERROR: pytest did not collect the portfile *"])
    assert result.ret == 4


def test_the_configuration_file_names_the_portfile(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "ports")
    pytester.makefile(".toml", pytest='[pytest]\nporting_portfile = "ports/portfile.py"\nstrict = true\n')
    result = run_pytest("-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["porting *: ports/portfile.py"])


def test_workers_collect_and_report_the_same(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG_ACTIVATION)
    result = run_pytest(*OPTION, "-n", "2", "--junitxml=junit.xml", subprocess=True)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["act is the first module to diverge*", "mismatch: *2 failed*", "culprit: act"])
    assert _properties(pytester.path / "junit.xml", NAMES[1])["porting.verdict"] == "mismatch"


def test_junit_has_verdict_and_figures(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG_ACTIVATION)
    run_pytest(*OPTION, "--junitxml=junit.xml")
    properties = _properties(pytester.path / "junit.xml", NAMES[1])
    assert properties["porting.verdict"] == "mismatch"
    assert 0.01 < float(properties["porting.max_abs"]) < 10
    assert properties["porting.first_divergence"] == "act"
    assert _properties(pytester.path / "junit.xml", NAMES[0])["porting.compared_weights"] == "4"


def test_nothing_is_shown_without_the_option(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile("def test_own(): pass")
    result = run_pytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("porting *")
    result.stdout.no_fnmatch_line("*= porting*")


def test_no_summary_when_no_check_ran(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile("def test_own(): pass")
    result = run_pytest(*OPTION, "-k", "test_own")
    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.no_fnmatch_line("*= porting*")


def test_checks_of_the_user_with_the_same_name_do_not_interfere(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(
        checks="def check_mine(): return 1",
        test_own="import checks\ndef test_own(): assert checks.check_mine() == 1",
    )
    run_pytest(*OPTION, subprocess=True).assert_outcomes(passed=4)


def test_an_expected_failure_shows_its_reason(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    expected = 'EXPECTED_FAILURES = {"check_outputs_equal": "act is next", "check_hidden_states_equal": "same"}'
    write_portfile(pytester.path, WRONG_ACTIVATION, expected)
    result = run_pytest(*OPTION, "-rx")
    result.assert_outcomes(passed=1, xfailed=2)
    result.stdout.fnmatch_lines(["XFAIL portfile.py::check_outputs_equal - *act is next*"])
    assert result.ret == 0
    run_pytest(*OPTION, "--runxfail").assert_outcomes(passed=1, failed=2)


def test_an_expected_failure_that_passes_fails(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, extra='EXPECTED_FAILURES = {"check_outputs_equal": "not ready"}')
    result = run_pytest(*OPTION)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["check_outputs_equal passes, and EXPECTED_FAILURES says that it fails: not ready"])


def test_an_inconclusive_check_fails(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    nothing = "def valid_positions(inputs):\n    import torch\n    return torch.zeros(2, 5, dtype=torch.bool)"
    write_portfile(pytester.path, extra=nothing)
    result = run_pytest(*OPTION, "-k", "outputs")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["not every output could be compared*", "inconclusive: 1 inconclusive"])


def test_a_skipped_check_shows_its_reason(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    (pytester.path / "portfile.py").write_text(
        "def original():\n    import torch\n    return torch.nn.Tanh().eval()\n"
        "ported = original\n"
        "def inputs():\n    import torch\n    return {'input': torch.linspace(-1, 1, 12).reshape(3, 4)}\n"
    )
    result = run_pytest(*OPTION, "-rs")
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * the port has no parameters"])
    assert result.ret == 0


def test_a_run_that_skipped_every_check_fails(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makeconftest(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        item.add_marker(pytest.mark.skip(reason='not today'))\n"
    )
    result = run_pytest(*OPTION)
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["every check was skipped, so that nothing was verified: the run fails"])
    assert result.ret == 1


def test_the_run_works_without_a_terminal(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG_ACTIVATION)
    assert run_pytest(*OPTION, "-p", "no:terminal").ret == 1


def test_the_plugin_imports_neither_torch_nor_checks_when_it_is_loaded(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    wanted = ['porting.pytest_plugin', 'porting.checks', 'torch', 'transformers', 'numpy', 'rich']\n"
        "    print('loaded:', *[name for name in wanted if name in sys.modules])\n"
    )
    result = run_pytest("--collect-only", "-s", subprocess=True)
    result.stdout.fnmatch_lines(["loaded: porting.pytest_plugin"])
    assert result.ret == 5


def _properties(path: Path, name: str) -> dict[str, str]:
    cases = ET.parse(path).getroot().iter("testcase")
    case = next(case for case in cases if case.get("name") == name)
    return {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
