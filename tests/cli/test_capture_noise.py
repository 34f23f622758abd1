"""``porting capture --noise``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from processes import porting, write_portfile

PYTHON = f"ORIGINAL_PYTHON = {sys.executable!r}\n"
INPUTS = 'def inputs():\n    return {"input": torch.linspace(-1, 1, 8).reshape(2, 4)}\n'
MEASURE = ("capture", "--side", "original", "--noise", "--repeat", "2", "--json")


def test_noise_is_recorded_said_and_shown_again(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    done = porting(tmp_path, "capture", "--side", "original", "--noise", "--repeat", "2", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["traces"]
    assert {kind: each["status"] for kind, each in entry["noise"].items()} == dict.fromkeys(
        ["float64", "threads", "batch"], "measured"
    )
    assert 0 < entry["noise"]["float64"]["relative_l2"] < 1e-6
    assert entry["noise"]["float64"]["call"] in ("0", "1", "2")
    shown = porting(tmp_path, "capture", "--show", "traces/original")
    assert f"relative noise: float64 {entry['noise']['float64']['relative_l2']:.1e} at " in " ".join(
        shown.stdout.split()
    )


def test_why_noise_was_not_measured_is_shown(tmp_path: Path) -> None:
    write_portfile(tmp_path, 'def inputs():\n    return {"input": torch.ones(1, 4)}\n')
    done = porting(tmp_path, "capture", "--side", "ported", "--noise")
    assert "batch not measured (the batch has one row)" in " ".join(done.stdout.split())
    plain = porting(tmp_path, "capture", "--side", "ported", "--json")
    assert json.loads(plain.stdout)["traces"][0]["noise"] is None


def test_noise_is_measured_under_another_interpreter_as_here(tmp_path: Path) -> None:
    here, there = (porting(folder(tmp_path, *lines), *MEASURE) for lines in ((), (PYTHON,)))
    entries = [json.loads(done.stdout)["traces"][0]["noise"] for done in (here, there)]
    assert entries[0]["float64"]["relative_l2"] > 0
    for kind, entry in entries[0].items():
        assert entries[1][kind]["status"] == entry["status"] == "measured"
        assert entries[1][kind]["call"] == entry["call"]
        assert entries[1][kind]["relative_l2"] == pytest.approx(entry["relative_l2"], rel=1e-6, abs=0)


def test_gradients_under_another_interpreter_are_refused_before_it_runs(tmp_path: Path) -> None:
    write_portfile(tmp_path, PYTHON)
    done = porting(tmp_path, "capture", "--gradients", "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "portfile"
    assert "--side ported --gradients" in error["hint"]
    assert not (tmp_path / "traces").exists()


def folder(place: Path, *lines: str) -> Path:
    made = place / str(len(lines))
    made.mkdir()
    write_portfile(made, "\n".join((INPUTS, *lines)))
    return made
