"""Replay: a recorded original gives what the live one gives, whole, without its code and on another machine."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from seeded import BUGS as TOY_BUGS
from seeded import Break, tiny_eps_error, unloaded
from torch import nn
from toys import make_inputs, make_pair

from porting import Portfile, Trace, Verification, capture, open_trace, recorder, verify, verify_portfile
from porting.checks import CheckContext
from porting.checks.running.settled import record_verification
from porting.demo import BUGS, write_demo
from porting.evidence import changes, newest_records

ABSENT = "a_package_of_the_original_that_is_not_here"
REPLAY = f"""

ORIGINAL_TRACE = "traces/original"


def original():
    import {ABSENT}


def original_inputs():
    import {ABSENT}


def run_original(model, inputs):
    import {ABSENT}
"""
"""Added to a portfile: nothing of the original works any more."""

PORT = """
def ported():
    from toys import make_pair

    return make_pair()[1]


def run_ported(model, inputs):
    return model(input_ids=inputs["tokens"], attention_mask=inputs["mask"])
"""
"""A portfile without inputs: with `REPLAY` its port runs on the recorded ones, under the original's names."""

Record = Callable[[nn.Module, dict[str, Any], Path, torch.Tensor], Any]


def captured(model: nn.Module, inputs: dict[str, Any], folder: Path, valid: torch.Tensor) -> None:
    capture(model, inputs, folder=folder, valid_positions=valid, side="original")


def recorded(model: nn.Module, inputs: dict[str, Any], folder: Path, valid: torch.Tensor) -> None:
    recorder.record(model, inputs, str(folder), valid_positions=valid)


RECORDERS = {"capture": captured, "recorder": recorded}


def said(verification: Verification) -> dict[str, Any]:
    """All that a verification says: the whole document, in print, and every figure of isolation."""
    seen = [(o.where, o.ported.key, o.leaf, o.numbers, o.floor, o.blamed) for o in verification.isolation.observations]
    return {
        **json.loads(json.dumps(verification.to_dict(), allow_nan=False)),
        "message": verification.failure_message(),
        "observations": [repr(each) for each in seen],
        "stopped": verification.isolation.stopped,
    }


def said_without_proof(verification: Verification) -> dict[str, Any]:
    """The same but for what hangs on the contents of the original's tensors: whether a lost one is proven."""
    document = said(verification)
    culprits = [
        {**culprit, "causes": [cause["code"] for cause in culprit["causes"]]} for culprit in document["culprits"]
    ]
    return {**document, "culprits": culprits, "message": None, "summary": None}


@pytest.fixture(scope="module")
def toy_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Traces of the toy original, by what recorded them."""
    inputs, folder = make_inputs()[0], tmp_path_factory.mktemp("toy")
    for name, record in RECORDERS.items():
        record(make_pair()[0], inputs, folder / name, inputs["mask"].bool())
    return {name: folder / name for name in RECORDERS}


def toy_verified(original: nn.Module | Trace, break_port: Break | None) -> Verification:
    ported = make_pair()[1]
    if break_port:
        break_port(ported)
    first, second = make_inputs()
    return verify(original, ported, second, original_inputs=first)


@pytest.mark.parametrize("by", RECORDERS)
@pytest.mark.parametrize(
    "bug",
    [None, *(bug for bug in TOY_BUGS if bug is not unloaded), tiny_eps_error],
    ids=lambda bug: getattr(bug, "__name__", "clean"),
)
def test_the_toy_pair_is_judged_as_with_the_live_original(
    bug: Break | None, by: str, toy_folders: dict[str, Path]
) -> None:
    live = toy_verified(make_pair()[0], bug)
    assert bool(live.culprits) == bool(bug)
    assert said(toy_verified(open_trace(toy_folders[by]), bug)) == said(live)


@pytest.mark.parametrize("by", RECORDERS)
def test_a_lost_matrix_is_named_from_a_trace_and_proven_with_the_live_original(
    by: str, toy_folders: dict[str, Path]
) -> None:
    found = [toy_verified(each, unloaded) for each in (make_pair()[0], open_trace(toy_folders[by]))]
    assert said_without_proof(found[0]) == said_without_proof(found[1])
    causes = [verification.culprits[0].causes for verification in found]
    assert [[(cause.code, cause.verified) for cause in each] for each in causes] == [
        [("not-loaded", True)],
        [("not-loaded", False)],
    ]


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's original as the command line records it."""
    folder = tmp_path_factory.mktemp("demo") / "porting-demo"
    portfile = Portfile.load(write_demo(folder))
    capture(
        portfile.build("original"),
        portfile.inputs("original"),
        run=lambda model, inputs: portfile.run("original", model, inputs),
        folder=folder / "traces" / "original",
        valid_positions=portfile.valid_positions(),
        side="original",
    )
    return folder


def replaying(folder: Path, traces: Path, extra: str = "") -> Portfile:
    """The portfile of a folder, turned into one that replays a trace."""
    shutil.copytree(traces, folder / "traces")
    path = folder / "portfile.py"
    path.write_text(path.read_text() + REPLAY + extra)
    return Portfile.load(path)


@pytest.mark.parametrize("bug", [None, *BUGS])
def test_the_demo_is_judged_as_with_the_live_original(
    bug: str | None, demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "porting-demo"
    live_portfile = Portfile.load(write_demo(folder, BUGS[bug] if bug else None))
    port = live_portfile.build("ported")
    live = verify_portfile(live_portfile, ported=port)
    assert bool(live.culprits) == bool(bug)
    replay = replaying(folder, demo_folder / "traces")
    monkeypatch.setitem(sys.modules, "pytorch_pretrained_bert", None)
    told = said_without_proof if bug == "unloaded-weight" else said
    assert told(verify_portfile(replay, ported=port)) == told(live)


@pytest.mark.parametrize("by", RECORDERS)
def test_the_recorded_inputs_are_enough(by: str, toy_folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(toy_folders[by], tmp_path / "traces" / "original")
    (tmp_path / "portfile.py").write_text(PORT + REPLAY)
    verification = verify_portfile(Portfile.load(tmp_path / "portfile.py"))
    assert verification.comparison.outputs[0].numbers.masked == 3 * 61
    assert said(verification) == said(toy_verified(make_pair()[0], None))


def test_a_port_with_the_originals_argument_names_needs_nothing_else(demo_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "porting-demo"
    live = Portfile.load(write_demo(folder, BUGS["wrong-pooling"]))
    port = live.build("ported")
    expected = said(verify_portfile(live, ported=port))
    replay = replaying(folder, demo_folder / "traces", "\n\ndel inputs\n")
    assert "inputs" not in replay.functions
    assert said(verify_portfile(replay, ported=port)) == expected


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make everything in a folder read-only; root may write all the same, so the listing has to stay as it is."""
    paths = [folder, *folder.rglob("*")]
    before = {path: path.stat().st_mtime_ns for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
        assert {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]} == before
    finally:
        for path in paths:
            path.chmod(0o755)


def test_a_trace_may_be_moved_and_need_not_be_writable(
    toy_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there" / "deeper"
    (here / "traces").mkdir(parents=True)
    shutil.copytree(toy_folders["capture"], here / "traces" / "original")
    (here / "portfile.py").write_text(PORT + REPLAY)
    before = said(verify_portfile(Portfile.load(here / "portfile.py")))
    there.parent.mkdir()
    here.rename(there)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with read_only(there):
        assert said(verify_portfile(Portfile.load(os.path.relpath(there / "portfile.py")))) == before


def test_a_recorded_original_goes_stale_with_its_trace(toy_folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(toy_folders["capture"], tmp_path / "traces" / "original")
    (tmp_path / "portfile.py").write_text(PORT + REPLAY)
    portfile = Portfile.load(tmp_path / "portfile.py")
    assert record_verification(CheckContext(portfile)) is None
    assert "file traces/original/manifest.json" in newest_records(portfile)["check_outputs_equal"].about
    assert step_7(portfile) == "done"
    recorded(make_pair(1)[0], make_inputs()[0], tmp_path / "traces" / "original", make_inputs()[0]["mask"])
    assert step_7(portfile) != "done"


def step_7(portfile: Portfile) -> str:
    record = newest_records(portfile)["check_outputs_equal"]
    return "done" if record.result == "passed" and not changes(record, portfile) else "open"
