from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from processes import command, porting, settings, write_portfile

from porting import open_trace
from porting.cli import COMMANDS, group
from porting.cli._frame import Terminated, guarded
from porting.errors import (
    CaptureError,
    CheckpointError,
    MismatchError,
    OutputError,
    PortfileError,
    PortingError,
    RestoreError,
    TraceError,
)

NOISY = """
import atexit, ctypes

print("python at import")
os.write(1, b"descriptor at import\\n")
atexit.register(print, "at exit")

def run_ported(model, inputs):
    print("python in run")
    os.write(1, b"descriptor in run\\n")
    ctypes.CDLL(None).printf(b"C in run\\n")
    return model(**inputs)
"""
DIFFERENT = """
def ported():
    broken = model()
    broken[0].bias.data += 1
    return broken
"""
NOTHING_COMPARABLE = """
def outputs(original_out, ported_out):
    return [("nothing", original_out * float("nan"), ported_out * float("nan"))]
"""
RAISING = """
class Bad(torch.nn.Module):
    def forward(self, x):
        raise ValueError("no such path")

def ported():
    return torch.nn.Sequential(torch.nn.Linear(4, 4), Bad())
"""
EXITING = """
def ported():
    sys.exit(0)
"""


def test_match_exits_with_0_and_prints_one_document_whatever_the_models_print(tmp_path: Path) -> None:
    write_portfile(tmp_path, NOISY)
    done = porting(tmp_path, "verify", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["verdict"]) == (1, "match")
    for text in (
        "python at import",
        "descriptor at import",
        "python in run",
        "descriptor in run",
        "C in run",
        "at exit",
    ):
        assert text in done.stderr


def test_difference_exits_with_1(tmp_path: Path) -> None:
    write_portfile(tmp_path, DIFFERENT)
    done = porting(tmp_path, "verify")
    assert done.returncode == 1, done.stderr
    assert "\nmismatch: " in done.stdout
    assert "Traceback" not in done.stderr


def test_nothing_comparable_exits_with_3(tmp_path: Path) -> None:
    write_portfile(tmp_path, NOTHING_COMPARABLE)
    done = porting(tmp_path, "verify", "--json")
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "--bogus"], "No such option '--bogus'"),
        (["verifi"], "No such command 'verifi'. The commands are: demo, new, verify"),
        (["compare", "one"], "Missing argument 'PORTED'"),
        (["compare", "a", "b", "--atol", "-1"], "'--atol'"),
    ],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = porting(tmp_path, *arguments, "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "usage"
    assert said in error["message"]
    assert "--help" in error["hint"]
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_no_command_shows_the_help_and_exits_with_2(tmp_path: Path) -> None:
    done = porting(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: porting")


def test_help_exits_with_0(tmp_path: Path) -> None:
    done = porting(tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "verify" in done.stdout


@pytest.mark.parametrize("command", ["verify", "capture", "weights"])
def test_missing_portfile_exits_with_4(tmp_path: Path, command: str) -> None:
    done = porting(tmp_path, command, "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "portfile"
    assert "portfile.py does not exist" in error["message"]
    assert "--portfile" in error["hint"]
    assert done.stderr == f"Error: {error['message']}\nHint: {error['hint']}\n"


def test_missing_checkpoint_exits_with_4(tmp_path: Path) -> None:
    write_portfile(tmp_path, "def checkpoint(): return 'weights/model.safetensors'")
    done = porting(tmp_path, "weights", "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "checkpoint"
    assert "weights/model.safetensors" in error["message"]
    assert error["hint"]
    assert "Traceback" not in done.stderr


def test_forward_that_raises_exits_with_4_and_shows_a_traceback_for_debug_only(tmp_path: Path) -> None:
    write_portfile(tmp_path, RAISING)
    plain = porting(tmp_path, "verify", "--json")
    assert plain.returncode == 4
    message = "the ported model's forward raised in 1 (Bad): ValueError: no such path"
    assert json.loads(plain.stdout)["error"]["message"] == message
    assert f"Error: {message}\n" in plain.stderr
    assert "Traceback" not in plain.stderr
    debugged = porting(tmp_path, "verify", "--debug")
    assert (debugged.returncode, debugged.stdout) == (4, "")
    assert "Traceback" in debugged.stderr
    assert 'raise ValueError("no such path")' in debugged.stderr


def test_sys_exit_of_the_users_code_is_no_verdict(tmp_path: Path) -> None:
    write_portfile(tmp_path, EXITING)
    done = porting(tmp_path, "verify", "--json")
    assert done.returncode == 4
    assert "ported() raised SystemExit: 0" in json.loads(done.stdout)["error"]["message"]


def test_output_that_cannot_be_written_exits_with_4_and_touches_nothing(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    (tmp_path / "file").write_text("mine")
    done = porting(tmp_path, "capture", "--output", "file/traces", "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "output"
    assert "file/traces" in error["message"]
    assert "--output" in error["hint"]
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "portfile.py"]
    assert "Traceback" not in done.stderr


def test_full_disk_exits_with_4_and_leaves_no_partial_trace(tmp_path: Path) -> None:
    limit = "import resource\n\ndef run_original(model, inputs):\n"
    limit += "    resource.setrlimit(resource.RLIMIT_FSIZE, (200, -1))\n    return model(**inputs)\n"
    write_portfile(tmp_path, limit)
    done = porting(tmp_path, "capture", "--json")
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "output"
    assert not (tmp_path / "traces").exists()


def test_failed_capture_can_be_shown_but_not_compared_and_is_replaced(tmp_path: Path) -> None:
    write_portfile(tmp_path, RAISING)
    failed = porting(tmp_path, "capture")
    assert failed.returncode == 4
    assert "porting capture --show" in failed.stderr
    shown = porting(tmp_path, "capture", "--show", "traces/ported", "--json")
    assert shown.returncode == 0, shown.stderr
    (trace,) = json.loads(shown.stdout)["traces"]
    assert (trace["status"], trace["failure"]) == ("failed", {"path": "1", "error": "ValueError: no such path"})
    refused = porting(tmp_path, "compare", "traces/original", "traces/ported", "--json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["error"]["code"] == "trace"
    write_portfile(tmp_path)
    assert porting(tmp_path, "capture").returncode == 0
    compared = porting(tmp_path, "compare", "traces/original", "traces/ported")
    assert compared.returncode == 0, compared.stderr
    assert sorted(path.name for path in (tmp_path / "traces").iterdir()) == ["original", "ported"]


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (PortfileError("x", hint="y"), "portfile", 4),
        (CaptureError("x", hint="y"), "capture", 4),
        (RestoreError("x", hint="y"), "restore", 4),
        (TraceError("x", hint="y"), "trace", 4),
        (CheckpointError("x", hint="y"), "checkpoint", 4),
        (OutputError("x", hint="y"), "output", 4),
        (PortingError("x", hint="y"), "error", 4),
        (MismatchError("x", hint="y"), "mismatch", 1),
        (FileNotFoundError("x"), "system", 4),
        (MemoryError("x"), "system", 4),
        (SystemExit(0), "portfile", 4),
        (ZeroDivisionError("x"), "internal", 5),
        (EOFError("x"), "internal", 5),
        (GeneratorExit("x"), "portfile", 4),
        (KeyboardInterrupt(), "interrupted", 130),
        (Terminated(), "interrupted", 143),
    ],
)
def test_each_error_has_its_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: str, exit_code: int
) -> None:
    @click.command()
    @click.option("--json", is_flag=True)
    def failing(json: bool) -> None:
        raise error

    with pytest.raises(SystemExit) as exited:
        guarded(failing, ["--json"])
    assert exited.value.code == exit_code
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["schema"] == 1
    assert document["error"]["code"] == code
    assert captured.err.startswith(f"Error: {document['error']['message']}\n")
    assert "Traceback" not in captured.err


def test_hostile_text_in_an_unexpected_error_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def failing() -> None:
        raise RuntimeError("\x1b[31m\n\u202e")

    with pytest.raises(SystemExit):
        guarded(failing, [])
    (line, _) = capsys.readouterr().err.splitlines()
    assert line == r"Error: a bug in porting itself: RuntimeError: \x1b[31m\n\u202e"


UNUSUAL = "\nimport asyncio\nclass Own(BaseException): pass\n"


@pytest.mark.parametrize("raised", ["asyncio.CancelledError()", "GeneratorExit()", "Own('x')"])
@pytest.mark.parametrize("where", ["def original():", "def run_original(model, inputs):", "if True:"])
def test_whatever_the_users_code_raises_is_its_failure(tmp_path: Path, where: str, raised: str) -> None:
    write_portfile(tmp_path, f"{UNUSUAL}\n{where}\n    raise {raised}\n")
    done = porting(tmp_path, "capture", "--side", "original", "--json")
    assert done.returncode == 4
    assert f"{raised.split('(')[0].removeprefix('asyncio.')}: " in json.loads(done.stdout)["error"]["message"]
    assert "Traceback" not in done.stderr


def test_an_error_is_said_after_the_users_code_closed_stderr(tmp_path: Path) -> None:
    write_portfile(tmp_path, "\ndef run_original(model, inputs):\n    sys.stderr.close()\n    raise ValueError('x')\n")
    done = porting(tmp_path, "capture", "--side", "original", "--debug")
    assert done.returncode == 4
    assert "ValueError: x\nHint: " in done.stderr
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_from_the_start_disturb_nothing(tmp_path: Path, closed: str) -> None:
    write_portfile(tmp_path, NOISY)
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command("capture", "--json")]
    done = subprocess.run(shell, **settings(tmp_path), timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    if closed == "2>&-":
        assert json.loads(done.stdout)["ok"] is True
    assert [open_trace(tmp_path / "traces" / side)["0"].class_name for side in ("original", "ported")] == [
        "Linear"
    ] * 2


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_result_that_cannot_be_printed_is_no_difference(options: tuple[str, ...], tmp_path: Path) -> None:
    write_portfile(tmp_path)
    with Path("/dev/full").open("w") as full:
        run = settings(tmp_path) | {"stdout": full}
        done = subprocess.run(command("verify", *options), **run, timeout=120, check=False)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_keeps_the_lines_of_its_examples(name: str) -> None:
    shown = CliRunner().invoke(group, [name, "--help"], catch_exceptions=False).output
    assert "\\b" not in shown
    assert re.search(r"Examples:(?!\n    \S)", shown) is None


def test_other_libraries_draw_no_bars_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    write_portfile(
        tmp_path,
        "\nBARS = os.environ.get('HF_HUB_DISABLE_PROGRESS_BARS')\n\n\ndef run_ported(model, inputs):\n"
        "    print(f'bars are off: {BARS}')\n    return model(**inputs)\n",
    )
    assert "bars are off: 1" in porting(tmp_path, "verify").stderr
