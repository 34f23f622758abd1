"""``porting capture --noise``."""

from __future__ import annotations

import json
from pathlib import Path

from processes import porting, write_portfile


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


def test_noise_under_another_interpreter_is_refused_before_it_runs(tmp_path: Path) -> None:
    write_portfile(tmp_path, 'ORIGINAL_PYTHON = "python"\n')
    done = porting(tmp_path, "capture", "--noise", "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "portfile"
    assert "--side ported --noise" in error["hint"]
    assert not (tmp_path / "traces").exists()
