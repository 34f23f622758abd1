"""Child processes end in time, say no more than fits, and take what they started with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from porting import offspring
from porting.children import MOST, ChildError, run_child

SPAWNING = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep({seconds})
"""
ESCAPING = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    begun, beginning = os.pipe()
    if os.fork() == 0:
        os.setsid()
        {quiet}
        print(os.getpid(), flush=True)
        os.execvp(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"])
    os.close(beginning)
    os.read(begun, 1)
    os._exit(0)
os.wait()
time.sleep({seconds})
"""
"""Starts a process that leads a session of its own, and whose parent has ended."""
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="no environment of other processes is shown here")


def test_both_streams_are_heard_and_variables_given_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAKEN", "there")
    code = (
        "import os, sys; print(os.environ['GIVEN'], os.environ.get('TAKEN'), file=sys.stderr); print(1); sys.exit(7)"
    )
    ended = run_child([sys.executable, "-c", code], tmp_path, seconds=60, environment={"GIVEN": "here", "TAKEN": None})
    assert (ended.code, ended.output, ended.errors) == (7, "1\n", "here None\n")
    assert ended.last_line == "here None"


def test_of_a_flood_both_ends_are_kept(tmp_path: Path) -> None:
    ended = run_child(
        [sys.executable, "-c", "print('first'); print('x' * 10**7); print('last')"], tmp_path, seconds=60
    )
    assert ended.code == 0
    assert ended.output.startswith("first")
    assert ended.output.endswith("last\n")
    assert len(ended.output) == 2 * MOST


@pytest.mark.parametrize("seconds", [0, 60])
def test_what_a_child_started_ends_with_it(seconds: int, tmp_path: Path) -> None:
    ended = run_child([sys.executable, "-c", SPAWNING.format(seconds=seconds)], tmp_path, seconds=2 if seconds else 30)
    assert ended.code == (None if seconds else 0)
    assert gone(int(ended.output))


@LINUX
@pytest.mark.parametrize("seconds", [0, 60])
def test_what_left_the_session_and_its_parents_ends_with_the_child(seconds: int, tmp_path: Path) -> None:
    began = time.monotonic()
    code = ESCAPING.format(seconds=seconds, quiet="")
    ended = run_child([sys.executable, "-c", code], tmp_path, seconds=2 if seconds else 30)
    assert ended.code == (None if seconds else 0)
    assert gone(int(ended.output))
    assert time.monotonic() - began < 9, "nobody holds the streams open any more"


@LINUX
def test_what_left_the_session_ends_on_ctrl_c(tmp_path: Path) -> None:
    code = ESCAPING.format(seconds=60, quiet="os.dup2(os.open('said', os.O_WRONLY | os.O_CREAT), 1)")
    begin = "import signal; from pathlib import Path; from porting.children import run_child; "
    begin += "signal.signal(signal.SIGINT, signal.default_int_handler); "
    run = f"run_child({[sys.executable, '-c', code]!r}, Path(), seconds=60)"
    with subprocess.Popen([sys.executable, "-c", begin + run], cwd=tmp_path, stderr=subprocess.PIPE) as runner:
        said = tmp_path / "said"
        while not (said.exists() and said.read_text().endswith("\n")):
            time.sleep(0.05)
        runner.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in runner.communicate(timeout=20)[1]
    assert gone(int(said.read_text()))


def test_other_processes_are_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        run_child([sys.executable, "-c", ""], tmp_path, seconds=30)
        assert other.poll() is None
        other.kill()


def test_where_no_processes_are_shown_a_child_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offspring, "PROCESSES", tmp_path / "nothing")
    assert run_child([sys.executable, "-c", "print(1)"], tmp_path, seconds=30).output == "1\n"


def gone(process: int) -> bool:
    """Whether a process has ended, or is about to: it may take the system a moment to bury it."""
    for _ in range(50):
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="no-such-program"):
        run_child(["no-such-program"], tmp_path, seconds=1)


def test_silence_has_a_last_line_too(tmp_path: Path) -> None:
    assert "ended with 3" in run_child([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, seconds=60).last_line
