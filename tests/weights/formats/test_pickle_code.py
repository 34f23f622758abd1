"""A pickle runs its code only if its sha256 was named, and then in another process."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import hostile
import pytest
import torch
from processes import ENVIRONMENT, porting, write_portfile

from porting.errors import CheckpointError
from porting.weights import check_weights, read_headers
from porting.weights.formats.temporary import temporary_folder

if TYPE_CHECKING:
    from pathlib import Path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_whole_module_is_read_if_its_sha256_is_allowed(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 3)
    path = tmp_path / "model.pt"
    torch.save(model, path)
    report = check_weights(path, model, allow_pickle_code=sha256(path))
    assert report.ok
    assert "running the code" in report.warnings[0].message
    headers = read_headers(path, allow_pickle_code=sha256(path).upper())
    assert headers.path == path
    assert torch.equal(headers.read("weight"), model.weight.detach())


def test_a_module_beside_other_things_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    tied = torch.randn(2, 2)
    state = {"a": tied, "b": tied, "t": torch.randn(2, 3).t()}
    torch.save({"model": state, "args": argparse.Namespace(lr=1), "optimizer": {"m": torch.ones(1)}}, path)
    headers = read_headers(path, allow_pickle_code=sha256(path))
    assert list(headers.tensors) == ["a", "b", "t"]
    assert torch.equal(headers.read("b"), tied)
    assert torch.equal(headers.read("t"), state["t"])


def test_another_sha256_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    path = hostile.archive(tmp_path / "x.pt", {"w": hostile.tensor(), "x": hostile.system(marker)})
    own = sha256(path)
    for other in ("0" * 64, own[:-1] + ("1" if own[-1] == "0" else "0"), own[:32]):
        with pytest.raises(CheckpointError, match=f"its sha256 is {own}, not the allowed"):
            read_headers(path, allow_pickle_code=other)
    assert not marker.exists()


def test_a_plain_state_dict_is_never_loaded_with_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pt"
    torch.save({"w": torch.ones(1)}, path)
    monkeypatch.setattr("porting.weights.formats.torchfiles.loaded_by_code", lambda *_: pytest.fail("code was run"))
    assert read_headers(path, allow_pickle_code=sha256(path)).remarks == []


def test_what_is_loaded_is_what_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "marker"
    path = hostile.archive(tmp_path / "x.pt", {"w": hostile.Calls(eval, "__import__('torch').ones(3)")})
    evil = hostile.archive(tmp_path / "evil.pt", {"w": hostile.tensor(), "x": hostile.system(marker)}).read_bytes()
    allowed, start = sha256(path), subprocess.run

    def change_and_start(command: list[str], **options: Any) -> Any:
        if "trusted" in command[3]:
            path.write_bytes(evil)
        return start(command, **options)

    monkeypatch.setattr(subprocess, "run", change_and_start)
    headers = read_headers(path, allow_pickle_code=allowed)
    assert path.read_bytes() == evil
    assert headers.read("w").tolist() == [1, 1, 1]
    assert not marker.exists()


def test_folders_of_killed_processes_are_removed_and_those_of_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "import os, signal\nfrom porting.weights.formats.temporary import temporary_folder\ntemporary_folder()\n"
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    killed = subprocess.run([sys.executable, "-c", f"{code}os.kill(os.getpid(), 9)"], env=environment, check=False)
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    other = temporary_folder()
    assert not left.exists()
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    assert list(tmp_path.iterdir()) == [other]
    assert other.stat().st_mode & 0o777 == 0o700


def test_code_that_fails_is_one_error(tmp_path: Path) -> None:
    path = hostile.archive(tmp_path / "x.pt", {"w": hostile.tensor(), "x": hostile.Calls(exec, "raise KeyError('k')")})
    with pytest.raises(CheckpointError, match=r"not even with its code: KeyError: 'k'"):
        read_headers(path, allow_pickle_code=sha256(path))


def test_the_command_takes_a_sha256(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU(), torch.nn.Linear(4, 3)), path)
    refused = porting(tmp_path, "weights", str(path), "--json")
    assert refused.returncode == 4
    assert "torch.nn.modules.container.Sequential" in json.loads(refused.stdout)["error"]["message"]
    allowed = porting(tmp_path, "weights", str(path), "--json", "--allow-pickle-code", sha256(path))
    assert allowed.returncode == 0, allowed.stderr
    assert json.loads(allowed.stdout)["warnings"][0]["code"] == "pickle-code"
    wrong = porting(tmp_path, "weights", str(path), "--allow-pickle-code", "yes")
    assert wrong.returncode == 2
