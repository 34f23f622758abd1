from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
import torch
from processes import command, settings, write_portfile

from porting.errors import CaptureError
from porting.hooks.capturing import capture
from porting.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

SLEEPING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background may have it ignored

def run_ported(model, inputs):
    print("SLEEPING", flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_capture_ends_promptly_and_leaves_nothing_half_written(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    write_portfile(tmp_path, SLEEPING)
    with subprocess.Popen(command("capture", "--side", "ported", "--json"), **settings(tmp_path)) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "SLEEPING\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == exit_code
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert err == "Error: interrupted before there was a result\n"
    assert [path.name for path in tmp_path.iterdir()] == ["portfile.py"]


@pytest.mark.parametrize("arguments", [["--help"], ["verify"], ["verify", "--json"], ["verify", "--json", "--bogus"]])
def test_reader_that_goes_away_is_no_difference_and_no_traceback(tmp_path: Path, arguments: list[str]) -> None:
    write_portfile(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(*arguments), **{**settings(tmp_path), "stdout": writing}, timeout=60, check=False
        )
    finally:
        os.close(writing)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_interruption_while_a_trace_is_written_keeps_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, inputs = torch.nn.Linear(3, 2), (torch.ones(1, 3),)
    capture(model, inputs, folder=tmp_path / "trace", side="earlier")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("porting.trace.writing.write_new", interrupted)
    with pytest.raises(KeyboardInterrupt):
        capture(model, inputs, folder=tmp_path / "trace", side="later")
    assert [path.name for path in tmp_path.iterdir()] == ["trace"]
    assert open_trace(tmp_path / "trace").run["side"] == "earlier"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_model_is_left_as_found_when_its_forward_ends_early(error: type[BaseException]) -> None:
    class Counting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.inner(x)
            self.inner.eval()
            raise error

    model = Counting()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    random_state = torch.get_rng_state()
    with pytest.raises(CaptureError if error is ValueError else error):
        capture(model, (torch.ones(4, 3),))
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert all(module.training for module in model.modules())
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert torch.equal(torch.get_rng_state(), random_state)
