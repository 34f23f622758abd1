from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from processes import porting, write_portfile

from porting import open_trace
from porting.cli._size import Size


def test_what_is_recorded_can_be_chosen_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    choice = ["--only", "?", "--skip", "1", "--depth", "1", "--limit", "2GiB", "--no-inputs"]
    done = porting(tmp_path, "capture", "--side", "ported", *choice, "--gradients", "--wrap-forward", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["traces"]
    assert (entry["left_out"]["exclude"], entry["left_out"]["tensors"]) == (["1"], 4)
    assert (entry["left_out"]["limit"], entry["left_out"]["depth"]) == (2 << 30, 1)
    trace = open_trace(tmp_path / "traces" / "ported")
    assert [call.path for call in trace.calls if any(call.outputs.tensor_leaves())] == ["0", "2"]
    assert not any(any(call.inputs.tensor_leaves()) for call in trace.calls)
    assert trace["0"].gradients is not None
    assert trace.tensor("0:gradients").shape == trace.tensor("0").shape
    assert trace.modules["0"].parameters[0].gradient is not None
    shown = porting(tmp_path, "capture", "--show", "traces/ported")
    assert "left out: not selected" in shown.stdout


def test_a_limit_that_is_no_size_is_a_usage_error(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    done = porting(tmp_path, "capture", "--limit", "much")
    assert done.returncode == 2
    assert "'much' is not a size, such as 500MB or 2GiB" in done.stderr
    assert not (tmp_path / "traces").exists()


def test_gradients_under_another_interpreter_are_refused(tmp_path: Path) -> None:
    write_portfile(tmp_path, 'ORIGINAL_PYTHON = "python3"\n')
    done = porting(tmp_path, "capture", "--gradients", "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert "ORIGINAL_PYTHON" in error["message"]
    assert "--side ported --gradients" in error["hint"]


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1500", 1500), ("1.5kB", 1500), ("2 GiB", 2 << 30), ("3mib", 3 << 20)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1.2.3MB", "5 apples", "1e9", "9" * 400])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a size"):
        Size().convert(text, None, None)


def test_what_matches_no_module_is_said(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    choice = ["--only", "0", "--only", "no.such.*", "--skip", "\x1b[31m", "--class", "Linear", "--class", "Nope"]
    done = porting(tmp_path, "capture", "--side", "ported", *choice, "--json")
    assert done.returncode == 0, done.stderr
    warnings = json.loads(done.stdout)["warnings"]
    assert warnings == [
        "the pattern no.such.* matches no module of the ported model",
        r"the pattern \x1b[31m matches no module of the ported model",
        "no module of the ported model is of the class Nope",
    ]
    assert all(f"Warning: {text}\n" in done.stderr for text in warnings)
    assert json.loads(porting(tmp_path, "capture", "--json").stdout)["warnings"] == []


def test_a_parent_in_the_output_leaves_no_folder(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    done = porting(tmp_path, "capture", "--side", "ported", "--output", "new/../out")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["out"]
