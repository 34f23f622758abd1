from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from processes import command, porting, python, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

WRONG = "model.act = nn.Identity()"


def test_a_right_port_passes_and_leaves_evidence(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(tmp_path)
    done = porting(tmp_path, "check", "outputs_equal", "hidden_states_equal")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:3] == ["7", "passed", "check_outputs_equal"]
    assert "passed: 2 passed\nNext: porting checklist" in done.stdout
    evidence = json.loads((tmp_path / "porting-evidence.json").read_text())
    assert {item["claim"] for item in evidence["records"]} == {"check_outputs_equal", "check_hidden_states_equal"}


def test_a_failure_is_shown_in_full_and_the_remedy_last(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(tmp_path, WRONG, name="port.py")
    done = porting(tmp_path, "check", "outputs_equal", "weights_loaded", "--portfile", "port.py")
    assert done.returncode == 1
    assert "act is the first module to diverge" in done.stdout
    assert "Greatest absolute difference" in done.stdout
    last = done.stdout.splitlines()[-2:]
    assert last == [
        "failed: 1 passed, 1 failed; first: check_outputs_equal",
        "Next: mend act, then: porting verify --strict --portfile port.py",
    ]


def test_json_is_one_document(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(tmp_path, WRONG, extra="print('noise')")
    done = porting(tmp_path, "check", "--step", "7", "--skip", "hidden*", "--json", "check_outputs_equal")
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 1
    assert [(each["name"], each["status"]) for each in document["checks"]] == [("check_outputs_equal", "failed")]
    assert "noise" in done.stderr


def test_checks_that_fail_alike_are_shown_once(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(tmp_path, 'raise RuntimeError("no checkpoint here")')
    done = porting(tmp_path, "check", "outputs_equal", "hidden_states_equal")
    assert done.returncode == 4
    assert "\ncheck_outputs_equal, check_hidden_states_equal\nported() raised" in done.stdout
    records = json.loads((tmp_path / "porting-evidence.json").read_text())["records"]
    assert [record["result"] for record in records] == ["error", "error"]


def test_an_unknown_check_is_wrong_usage(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(tmp_path)
    done = porting(tmp_path, "check", "ouputs_equal")
    assert done.returncode == 2
    assert "did you mean check_outputs_equal?" in done.stderr


def test_the_list_needs_no_portfile_and_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from porting.cli import group
group.main(["check", "--list", "--json"], standalone_mode=False)
assert not {"torch", "transformers"} & set(sys.modules)
"""
    listed = json.loads(python(code))["checks"]
    assert {"check_outputs_equal", "check_weights_loaded"} <= {each["name"] for each in listed}
    assert all(each["claim"].endswith(".") and each["step"] for each in listed)
    done = porting(tmp_path, "check", "--list", "--step", "6")
    assert "check_weights_loaded" in done.stdout
    assert "check_outputs_equal" not in done.stdout


BUGGY = """
from porting.checks import forward

def check_outputs_equal(context):
    return 1 / 0

forward.CHECKS = (check_outputs_equal, forward.check_hidden_states_equal)
"""


@pytest.mark.parametrize(("options", "traceback"), [((), False), (("--debug",), True)])
def test_a_bug_in_a_check_is_reported_beside_the_other_results(
    options: tuple[str, ...], traceback: bool, tmp_path: Path, write_portfile: WritePortfile
) -> None:
    write_portfile(tmp_path, extra=BUGGY)
    done = porting(tmp_path, "check", "outputs_equal", "hidden_states_equal", *options)
    assert done.returncode == 5
    assert "passed  check_hidden_states_equal" in done.stdout
    assert "a bug in porting itself: ZeroDivisionError: division by zero" in done.stdout
    assert ("Traceback" in done.stderr) == traceback


SLEEPING = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background may have it ignored

def run_ported(model, inputs):
    print("SLEEPING", flush=True)
    time.sleep(100)
"""


def test_an_interruption_ends_at_once_and_leaves_no_evidence(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(tmp_path, extra=SLEEPING)
    with subprocess.Popen(command("check", "outputs_equal"), **settings(tmp_path)) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "SLEEPING\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert err == "Error: interrupted before there was a result\n"
    assert not (tmp_path / "porting-evidence.json").exists()
