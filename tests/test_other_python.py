"""The original in another interpreter: a child process that shares nothing with this one but files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from porting import Portfile, capture, compare, verify_portfile
from porting.errors import CaptureError, PortfileError
from porting.other_python import record_original

PORTFILE = """
import os
from pathlib import Path

ORIGINAL_PYTHON = {python!r}


def original():
    import torch
    from torch import nn

    Path("pid.txt").write_text(str(os.getpid()))
    print("building")
    torch.manual_seed(0)
    {damage}
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).eval()


def ported():
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).eval()
    return nn.ModuleDict({{"body": model}}).eval()


def inputs():
    import torch

    return {{"x": {{"value": torch.linspace(-1, 1, 24).reshape(2, 3, 4), "scale": 2.0}}}}


def run_original(model, inputs):
    return model(inputs["x"]["value"] * inputs["x"]["scale"])


def run_ported(model, inputs):
    return model["body"](inputs["x"]["value"] * inputs["x"]["scale"])


def valid_positions(inputs):
    import torch

    return torch.tensor([[True, True, True], [True, True, False]])
"""


def portfile(folder: Path, damage: str = "pass", python: str = sys.executable) -> Portfile:
    path = folder / "portfile.py"
    path.write_text(dedent(PORTFILE).format(damage=damage, python=python))
    return Portfile.load(path)


def test_it_is_verified_as_the_live_original_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    verification = verify_portfile(portfile(tmp_path))
    assert verification.verdict == "match"
    assert ("0", "body.0") in verification.comparison.alignment.pairs
    assert int((tmp_path / "pid.txt").read_text()) != os.getpid()
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "building" in printed.err


def test_its_trace_is_the_one_that_would_be_captured_here(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    there = record_original(loaded, tmp_path / "there")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).eval()
    here = capture(
        model,
        loaded.inputs("original"),
        run=lambda model, inputs: loaded.run("original", model, inputs),
        valid_positions=loaded.valid_positions(),
    )
    comparison = compare(here, there)
    assert comparison.verdict == "match"
    assert comparison.outputs[0].numbers.masked == 3
    assert len(there.calls) == 4


def test_nothing_in_the_working_folder_stands_in_for_its_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "numpy", "torch", "record", "typing"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert len(record_original(portfile(tmp_path), tmp_path / "trace").calls) == 4


def test_an_original_that_cannot_be_built_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PortfileError, match=r"original\(\) raised under .*ValueError: no weights"):
        verify_portfile(portfile(tmp_path, "raise ValueError('no weights')"))
    assert "Traceback" in capfd.readouterr().err
    assert not (tmp_path / "traces" / "original").exists()


def test_a_forward_that_raises_leaves_a_failed_trace(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="shapes cannot be multiplied"):
        verify_portfile(portfile(tmp_path, "return nn.Sequential(nn.Linear(4, 8), nn.Linear(4, 8))"))
    assert (tmp_path / "traces" / "original" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("python", "message"),
    [("/nowhere/python", "cannot be started"), ("/bin/false", "exit code 1"), ("./python", "cannot")],
)
def test_an_interpreter_that_does_not_run_is_said(python: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PortfileError, match=message):
        verify_portfile(portfile(tmp_path, python=python))


def test_inputs_of_other_kinds_cannot_be_sent(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    loaded.answers["inputs"] = {"x": object()}
    with pytest.raises(PortfileError, match="cannot be sent"):
        record_original(loaded, tmp_path / "trace")


def test_an_interruption_ends_the_child_too(tmp_path: Path) -> None:
    portfile(tmp_path, "import time; time.sleep(60)")
    started = subprocess.Popen(
        [sys.executable, "-m", "porting", "capture", "--side", "original"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    child = int((tmp_path / "pid.txt").read_text())
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130, said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pid.txt", "portfile.py", "traces"]
    assert list((tmp_path / "traces").iterdir()) == []
