from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from processes import porting, write_portfile
from safetensors.torch import save_file

from porting.errors import CheckpointError
from porting.weights.contents import list_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    tensors = {f"layers.{i}.w": torch.zeros(2, 3) for i in range(3)}
    tensors["layers.3.w"] = torch.zeros(2, 4)
    tensors["\x1b[31mred"] = torch.zeros(1, dtype=torch.bfloat16)
    save_file(tensors, tmp_path / "x.safetensors")
    return tmp_path / "x.safetensors"


def test_equal_tensors_fold_and_others_stand_apart(checkpoint: Path) -> None:
    found = list_checkpoint(checkpoint)
    assert found.ok
    assert ("layers.{0...2}.w", ("float32", (2, 3))) in found.rows()
    assert ("layers.3.w", ("float32", (2, 4))) in found.rows()
    assert found.summary().endswith("5 tensors (4 float32, 1 bfloat16)")


def test_names_are_shown_escaped_and_given_to_programs_as_they_are(checkpoint: Path) -> None:
    found = list_checkpoint(checkpoint)
    assert "\x1b" not in found.text()
    assert "\x1b[31mred" in [tensor["name"] for tensor in found.to_dict()["tensors"]]


def test_remarks_on_the_file_are_kept(tmp_path: Path) -> None:
    torch.save({"model": {"w": torch.zeros(1)}, "epoch": 3}, tmp_path / "x.pt")
    found = list_checkpoint(tmp_path / "x.pt")
    assert found.remarks
    assert found.remarks[0].message in " ".join(found.text().split())


def test_what_is_no_checkpoint_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"x\.safetensors"):
        list_checkpoint(tmp_path / "x.safetensors")


def test_without_a_portfile_the_command_lists(checkpoint: Path) -> None:
    done = porting(checkpoint.parent, "weights", checkpoint.name, "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["tensors"]) == 5


def test_with_one_it_compares_unless_it_is_asked_to_list(checkpoint: Path) -> None:
    write_portfile(checkpoint.parent)
    assert porting(checkpoint.parent, "weights", checkpoint.name).returncode == 1
    listed = porting(checkpoint.parent, "weights", checkpoint.name, "--list")
    assert (listed.returncode, "layers.{0...2}.w" in listed.stdout) == (0, True)


def test_a_portfile_that_is_named_must_be_there(checkpoint: Path) -> None:
    done = porting(checkpoint.parent, "weights", checkpoint.name, "--portfile", "other.py")
    assert (done.returncode, "other.py" in done.stderr) == (4, True)
