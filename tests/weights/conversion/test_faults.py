from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from faults import CONVERSION_CALLS, FAULTS, INTERRUPTED, by_convert, converted
from processes import ENVIRONMENT, ROOT, after_faults, injected
from safetensors.torch import save_file

TESTS = ROOT / "tests"
WRITER = """
import sys
from pathlib import Path
from faults import by_convert
from porting.errors import PortingError
try:
    by_convert(Path(sys.argv[1]))
except PortingError as error:
    sys.exit(f"{error.exit_code}: {error}")
"""
LARGE = """
import signal, sys
from torch import nn
from porting.weights import Convert, Transpose
from porting.weights.conversion import convert
signal.signal(signal.SIGINT, signal.default_int_handler)
port = nn.ParameterList(nn.Parameter(torch.empty(1024, 1024, device="meta")) for _ in range(64))
print("READY", flush=True)
convert(sys.argv[1], port, sys.argv[2], [Convert("t{i:d}", "{i}", Transpose())], max_shard_size="32MiB", audit=False)
""".replace("import signal", "import torch, signal", 1)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What every fault left."""
    return after_faults("convert", tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", CONVERSION_CALLS)
def test_a_fault_leaves_nothing_or_the_whole_folder(name: str, kind: str, outcomes: list[dict[str, Any]]) -> None:
    mine = [each for each in outcomes if (each["call"], each["fault"]) == (name, kind)]
    assert mine, "a conversion makes this call at least once"
    for each in mine:
        assert each["found"] in ("absent", "new"), each
        if each["said"] == 0:
            assert each["found"] == "new", each
        if "kill" not in kind:
            assert each["said"] in (0, 4, INTERRUPTED), each
            assert not each["left"], each
        assert (each["said again"], each["found again"], each["left again"]) == (0, "new", []), each


def test_a_file_that_may_not_grow_is_an_output_error(tmp_path: Path) -> None:
    by_convert(tmp_path / "to" / "first")
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)){WRITER}"
    done = run(code, tmp_path / "to" / "second")
    assert "4: cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["first"]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{ROOT}:{TESTS}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("action", ["signal=SIGKILL", "error=ENOSPC", "error=EIO", "error=EINTR"])
@pytest.mark.parametrize("call", ["pwrite64", "fsync", "rename", "mkdir"])
def test_the_system_itself_fails(call: str, action: str, tmp_path: Path) -> None:
    number = 0
    for number, folder, done in injected(WRITER, tmp_path, call, action):
        found = converted(folder)
        assert found is not None or not folder.exists(), number
        assert (done.returncode == 0) <= (found is not None), number
        if found is None:
            assert run(WRITER, folder).returncode == 0, number
        assert [path.name for path in folder.parent.iterdir()] == ["it"], number
        assert converted(folder) is not None, number
    assert number > 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_large_conversion_ends_at_any_time(number: signal.Signals, tmp_path: Path) -> None:
    source = tmp_path / "source.safetensors"
    save_file({f"t{index}": torch.rand(1024, 1024) for index in range(64)}, source)
    out, parent = tmp_path / "to" / "out", tmp_path / "to"
    parent.mkdir()
    chance = random.Random(0)
    for _ in range(20):
        wait, complete = chance.uniform(0, 0.6), False
        with subprocess.Popen(
            [sys.executable, "-c", LARGE, str(source), str(out)],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"READY\n"
            time.sleep(wait)
            process.send_signal(number)
            complete = process.wait(60) == 0
        assert complete <= out.exists()
        if out.exists():
            assert converted(out) is not None
            shutil.rmtree(out)
        if number == signal.SIGINT:
            assert not list(parent.iterdir())
    command = [sys.executable, "-c", LARGE, str(source), str(out)]
    assert subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=120, check=False).returncode == 0
    assert converted(out) is not None
    assert list(parent.iterdir()) == [out]
