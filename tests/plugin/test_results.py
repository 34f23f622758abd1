"""How a check that does not simply pass is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

NAMES = ("check_weights_loaded", "check_outputs_equal", "check_hidden_states_equal")
OPTION = ("--porting-portfile", "portfile.py", "--porting-checks", ",".join(NAMES))
WRONG = "model.act = nn.Identity()"


def test_a_broken_port_fails_and_the_module_is_named_first(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG)
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
            "tolerance: 0.001; on cpu",
            "first divergence: act",
            "culprit: act (missing-activation, proven)",
            "FAILED portfile.py::check_outputs_equal - act is the first module to diverge*",
        ]
    )
    output = result.stdout.str()
    assert not any(text in output for text in ("Traceback", "collecting.py", "MismatchError"))


def test_a_weight_that_was_not_loaded_is_named(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, "model.down.weight[0] += 1")
    result = run_pytest(*OPTION, "-k", "weights")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["down: weight differs from the original's weight *", "Next: load it *"])


def test_a_model_that_cannot_be_built_fails_every_check_without_traceback(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, 'raise RuntimeError("no checkpoint here")')
    result = run_pytest(*OPTION)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["ported() raised RuntimeError: no checkpoint here*", "not compared: 3 error"])
    assert "Traceback" not in result.stdout.str()
    assert (pytester.path / "built.txt").read_text() == "ported\n"


BUGGY = """
from porting.checks import forward

def check_outputs_equal(context):
    return 1 / 0

forward.CHECKS = (check_outputs_equal, forward.check_hidden_states_equal)
"""


def test_a_bug_in_a_check_shows_where_it_is_and_leaves_the_others(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from porting.checks import forward

    monkeypatch.setattr(forward, "CHECKS", forward.CHECKS)
    write_portfile(pytester.path, extra=BUGGY)
    result = run_pytest(*OPTION)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*return 1 / 0", "E * ZeroDivisionError: *", "match: 2 passed, 1 error"])


def test_an_expected_failure_shows_its_reason(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    expected = 'EXPECTED_FAILURES = {"check_outputs_equal": "act is next", "check_hidden_states_equal": "same"}'
    write_portfile(pytester.path, WRONG, expected)
    result = run_pytest(*OPTION, "-rx")
    result.assert_outcomes(passed=1, xfailed=2)
    result.stdout.fnmatch_lines(
        ["mismatch: 1 passed, 2 expected failure", "XFAIL portfile.py::check_outputs_equal - *act is next*"]
    )
    assert result.ret == 0
    result = run_pytest(*OPTION, "--runxfail")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["mismatch: 1 passed, 2 failed"])


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
    result.stdout.fnmatch_lines(["SKIPPED [[]1] portfile.py:1: the port has no parameters"])
    assert result.ret == 0


@pytest.mark.parametrize("selection", [[], ["-k", "outputs"]])
def test_a_run_that_skipped_every_check_fails(
    selection: list[str], pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makeconftest(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        item.add_marker(pytest.mark.skip(reason='not today'))\n"
    )
    result = run_pytest(*OPTION, *selection, "--porting-report", "all.json")
    count = 1 if selection else 3
    result.assert_outcomes(skipped=count, deselected=3 - count)
    result.stdout.fnmatch_lines(["every check was skipped, so that nothing was verified: the run fails"])
    assert result.ret == 1
    document = json.loads((pytester.path / "all.json").read_text())
    assert (document["ok"], document["counts"]) == (False, {"skipped": count})


def test_an_interruption_ends_the_run(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, "raise KeyboardInterrupt")
    pytester.makepyfile(test_own="def test_own(): pass")
    result = run_pytest("test_own.py", *OPTION, subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["test_own.py .*", "!* KeyboardInterrupt !*", "*1 passed*"])


def test_what_weakens_the_results_is_told(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    weak = "def inputs():\n    import torch\n    return {'input': torch.linspace(-1, 1, 20).reshape(1, 5, 4)}"
    write_portfile(pytester.path, extra=weak)
    result = run_pytest(*OPTION, "-k", "equal")
    result.assert_outcomes(passed=2, deselected=1)
    result.stdout.fnmatch_lines(["match: 2 passed", "warning: *batch*"])


def test_no_summary_when_no_check_ran(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile("def test_own(): pass")
    result = run_pytest(*OPTION, "-k", "test_own")
    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.no_fnmatch_line("*= porting*")


def test_the_run_works_without_a_terminal(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, WRONG)
    assert run_pytest(*OPTION, "-p", "no:terminal").ret == 1
