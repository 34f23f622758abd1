"""``porting capture``: what it shows of traces, compares and validates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import porting
from tracing import edited, small

from porting.trace import save_trace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_trace(small(), tmp_path / "one")
    save_trace(small(), tmp_path / "other")
    return tmp_path


def test_a_tensor_is_shown(folder: Path) -> None:
    done = porting(folder, "capture", "--show", "one", "--tensor", "0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0: float32 (1, 2)\nmin ")
    done = porting(folder, "capture", "--show", "one", "--tensor", ":run.valid", "--json")
    assert json.loads(done.stdout)["values"] == [True, False]
    done = porting(folder, "capture", "--show", "one", "--tensor", "0:outputs.x", "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert (error["code"], "0:outputs float32 (1, 2)" in error["hint"]) == ("trace", True)


def test_a_trace_is_shown_as_a_tree(folder: Path) -> None:
    lines = porting(folder, "capture", "--show", "one").stdout.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["(model)", "0", "1"]
    assert lines[3].startswith("  0")


def test_equal_traces_exit_with_0_and_different_ones_with_1(folder: Path) -> None:
    done = porting(folder, "capture", "--diff", "one", "other")
    assert (done.returncode, done.stdout) == (0, "the traces are equal\n")
    edited(folder / "other", lambda document: document["run"].update(seed=7))
    done = porting(folder, "capture", "--diff", "one", "other", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["equal"], document["same_content"]) == (False, True)
    assert document["run"] == [{"place": "seed", "what": "fact", "one": 0, "other": 7}]
    done = porting(folder, "capture", "--diff", "one", "other")
    assert done.returncode == 1
    assert "the traces differ: the content is equal; 1 in run" in done.stdout


def test_validation_lists_problems_and_exits_with_4(folder: Path) -> None:
    done = porting(folder, "capture", "--validate", "one")
    assert done.returncode == 0, done.stderr
    assert "has its checksum" in done.stdout
    edited(folder / "one", lambda document: document["calls"][1].update(paht="0", repeat=1))
    done = porting(folder, "capture", "--validate", "one", "--json")
    assert done.returncode == 4
    document = json.loads(done.stdout)
    assert document["error"]["code"] == "trace"
    assert document["problems"] == [
        "call 1 (0): paht is no key of the format; did you mean path?",
        "call 1 (0): repeat is 1, and must be 0: each step counts a module's calls from 0",
    ]
    assert "it has 2 problems:\n  call 1 (0): paht" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tensor", "0"], "--show"),
        (["--show", "one", "--validate", "one"], "--show and --validate"),
        (["--diff", "one", "other", "--show", "one"], "--show and --diff"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(folder: Path, arguments: list[str], said: str) -> None:
    done = porting(folder, "capture", *arguments, "--json")
    assert done.returncode == 2
    assert said in json.loads(done.stdout)["error"]["message"]
