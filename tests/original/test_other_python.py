"""The original in another interpreter: a child process that shares nothing with this one but files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
import torch
from processes import ENVIRONMENT
from tracing import bits

from porting import Portfile, capture, compare, verify_portfile
from porting.checks import CheckContext, record_checks, run_checks
from porting.errors import CaptureError, PortfileError
from porting.evidence import changes, newest_records
from porting.hooks.selection import Selection
from porting.original.other_python import record_original
from porting.trace import flatten

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


REPEATS = """

def original():
    from torch import nn

    class Repeats(nn.Module):
        def forward(self, **given):
            return given

    return Repeats()


def run_original(model, inputs):
    pair = model(**inputs)["pair"]
    return [type(pair).__name__, pair.left is pair.right]


def valid_positions(inputs):
    return None
"""


def portfile(folder: Path, damage: str = "pass", python: str = sys.executable, extra: str = "") -> Portfile:
    path = folder / "portfile.py"
    path.write_text(dedent(PORTFILE).format(damage=damage, python=python) + extra)
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


@pytest.mark.parametrize("sent", [object(), torch.eye(2).to_sparse(), torch.eye(2, device="meta")])
def test_inputs_of_other_kinds_cannot_be_sent(sent: Any, tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    loaded.answers["inputs"] = {"x": sent}
    with pytest.raises(PortfileError, match="cannot be sent"):
        record_original(loaded, tmp_path / "trace")


class Pair(NamedTuple):
    left: Any
    right: Any


def test_any_dense_tensor_arrives_as_it_was_sent(tmp_path: Path) -> None:
    torch.manual_seed(0)
    numbers = 3 * torch.randn(3, 4)
    dtypes = [
        torch.bool, torch.uint8, torch.int64, torch.uint16, torch.float16, torch.bfloat16, torch.float64,
        torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2,
    ]  # fmt: skip
    tensors = [numbers.to(dtype) for dtype in dtypes]
    views = {"turned": numbers.t(), "empty": numbers[:0], "one": numbers[1, 2], "half": tensors[5][::2, 1]}
    sent = {
        "tensors": tensors,
        **views,
        "conjugate": tensors[7].conj(),
        "pair": Pair(numbers, numbers),
        "plain": (None, True, 2, 0.5, float("inf"), "text"),
    }
    loaded = portfile(tmp_path, extra=REPEATS)
    loaded.answers["inputs"] = sent
    trace = record_original(loaded, tmp_path / "trace")
    arrived = trace.value(trace.calls[0].outputs)
    assert arrived.pair.left.tolist() == numbers.tolist()
    assert trace.value(trace.outputs) == ["Pair", True]
    expected, found = flatten(sent)[1], flatten(dict(arrived))[1]
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (_, mine), (_, theirs) in zip(expected, found, strict=True):
        if isinstance(mine, torch.Tensor):
            assert bits(theirs) == bits(mine.resolve_conj())
        else:
            assert theirs == (str(mine) if mine == float("inf") else mine)


def test_its_progress_is_shown_as_that_of_a_capture_here(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    record_original(portfile(tmp_path), tmp_path / "trace", noise=True, progress=lambda *args: told.append(args))
    texts = list(dict.fromkeys(text for text, _, _ in told))
    assert texts == [
        "sending the inputs",
        "building the original model",
        "reading weights",
        "running",
        *(f"measuring noise: {kind}" for kind in ("float64", "threads", "batch")),
        "writing tensors-00001.safetensors, 0 MiB",
    ]
    assert ("running", 1, 4) in told


def test_what_is_recorded_can_be_chosen(tmp_path: Path) -> None:
    select = Selection(include=("[0-9]",), exclude=("1",), classes=("Linear", "Tanh"), depth=1, limit=10_000)
    trace = record_original(
        portfile(tmp_path), tmp_path / "trace", select=select, record_inputs=False, wrap_forward=True, seed=5
    )
    assert trace.left_out == {**select.to_dict(), "tensors": 2, "bytes": 264}
    assert [len(list(call.outputs.tensor_leaves())) for call in trace.calls] == [0, 1, 0, 1]
    assert not any(list(call.inputs.tensor_leaves()) for call in trace.calls)
    assert trace.run["seed"] == 5


def test_modules_of_the_original_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "record.py").write_text("import torch\nmodel = torch.nn.Linear(4, 3)")
    (tmp_path / "child.py").write_text("from record import model")
    loaded = portfile(tmp_path, "from child import model; return model")
    assert [call.class_name for call in record_original(loaded, tmp_path / "trace").calls] == ["Linear"]


def test_an_original_that_ends_the_program_has_recorded_nothing(tmp_path: Path) -> None:
    record_original(portfile(tmp_path), tmp_path / "trace")
    with pytest.raises(PortfileError, match="ended with exit code 0 before the original was recorded"):
        record_original(portfile(tmp_path, "raise SystemExit(0)"), tmp_path / "trace")


def test_a_trace_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    record_original(portfile(tmp_path), tmp_path / "trace")
    (tmp_path / "trace" / "notes.txt").write_text("mine")
    with pytest.raises(CaptureError, match="exists and is not a trace, so it is not replaced") as caught:
        record_original(portfile(tmp_path), tmp_path / "trace")
    assert "--show" not in caught.value.hint


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["to the parent", "as a terminal does"])
def test_an_interruption_ends_the_child_too(send: Callable[[int, int], None], tmp_path: Path) -> None:
    portfile(tmp_path, "import time; time.sleep(60)")
    started = subprocess.Popen(
        [sys.executable, "-m", "porting", "capture", "--side", "original"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    child = int((tmp_path / "pid.txt").read_text())
    send(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130, said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pid.txt", "portfile.py"]


ELSEWHERE = """
ORIGINAL_PYTHON = {python!r}


def original():
    import torch
    from elsewhere_layers import build

    return build(torch.load("weights.pt", weights_only=True))


def ported():
    import torch

    model = torch.nn.Linear(4, 3).eval()
    model.load_state_dict(torch.load("weights.pt", weights_only=True))
    return model


def inputs():
    import torch

    return {{"input": torch.ones(2, 4)}}
"""


def test_evidence_of_it_speaks_of_its_code_and_of_the_files_that_it_read(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(4, 3).state_dict(), tmp_path / "weights.pt")
    (tmp_path / "elsewhere_layers.py").write_text(
        "import torch\n\n\ndef build(state):\n    model = torch.nn.Linear(4, 3).eval()\n"
        "    model.load_state_dict(state)\n    return model\n"
    )
    path = tmp_path / "portfile.py"
    path.write_text(ELSEWHERE.format(python=sys.executable))
    context = CheckContext(Portfile.load(path))
    assert record_checks(context, run_checks(context, ["outputs_equal", "original_runs"])) is None
    record = newest_records(context.portfile)["check_original_runs"]
    assert (record.result, changes(record, Portfile.load(path))) == ("passed", ())
    assert not any("ported" in subject for subject in record.about)
    (tmp_path / "elsewhere_layers.py").write_text("# changed\n")
    torch.save({}, tmp_path / "weights.pt")
    assert set(changes(record, Portfile.load(path))) == {"elsewhere_layers.py changed", "weights.pt changed"}
    path.write_text(path.read_text().replace("build(torch", "build( state=torch"))
    assert "original() changed in portfile.py" in changes(record, Portfile.load(path))


def test_data_is_heard_of_in_order_and_code_is_not(tmp_path: Path) -> None:
    for name in ("a.py", "b.pyc", "z.pt", "c.json", "d.so"):
        (tmp_path / name).write_text("")
    text = """
        import porting.original.child as child

        opened = child.watch()
        for name in ("a.py", "b.pyc", "z.pt", "c.json", "d.so"):
            open(name).close()
        open("written.pt", "w").close()
        print(*opened)
    """
    told = subprocess.run([sys.executable, "-c", dedent(text)], cwd=tmp_path, env=ENVIRONMENT, capture_output=True)
    assert told.stdout.decode().split() == [str(tmp_path / "z.pt"), str(tmp_path / "c.json")], told.stderr


def test_code_of_an_installed_original_is_spoken_of(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "installed_original"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from installed_original.layers import Own\n")
    (package / "layers.py").write_text("import torch\n\n\nclass Own(torch.nn.Linear):\n    pass\n")
    path = tmp_path / "portfile.py"
    text = ELSEWHERE.format(python=sys.executable).replace("    from elsewhere_layers import build\n", FROM_PACKAGE)
    path.write_text(text.replace('torch.load("weights.pt", weights_only=True)', "{}"))
    context = CheckContext(Portfile.load(path))
    assert record_checks(context, run_checks(context, ["original_eval_mode"])) is None
    record = newest_records(context.portfile)["check_original_eval_mode"]
    assert record.result == "passed"
    assert any(subject.endswith("installed_original/layers.py") for subject in record.about)
    assert not any("ported" in subject for subject in record.about)


FROM_PACKAGE = """
    import sys

    sys.path.insert(0, "site-packages")
    from installed_original import Own

    def build(_):
        return Own(4, 3).eval()

"""
