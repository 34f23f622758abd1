from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file

from porting.evidence.reading import Reading, is_data, reading


def names(read: Reading) -> set[str]:
    return {path.name for path in read.data()}


def test_files_are_seen_however_they_are_opened(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "b.pt")
    np.save(tmp_path / "c.npy", np.ones(2))
    (tmp_path / "d.txt").write_text("x")
    with reading() as read:
        load_file(tmp_path / "a.safetensors")
        torch.load(tmp_path / "b.pt", weights_only=True)
        np.load(tmp_path / "c.npy")
        os.close(os.open(tmp_path / "d.txt", os.O_RDONLY))
        with safetensors.safe_open(tmp_path / "a.safetensors", "np") as file:
            assert list(file.keys()) == ["a"]
    assert names(read) == {"a.safetensors", "b.pt", "c.npy", "d.txt"}


def test_what_is_written_meanwhile_or_gone_is_not_read(tmp_path: Path) -> None:
    with reading() as read:
        (tmp_path / "new.txt").write_text("x")
        assert (tmp_path / "new.txt").read_text() == "x"
        with (tmp_path / "log.txt").open("a") as file:
            file.write("x")
        (tmp_path / "scratch").mkdir()
        (tmp_path / "scratch" / "old.txt").write_text("y")
    assert names(read) == set()


def test_a_file_that_is_opened_for_both_is_written(tmp_path: Path) -> None:
    (tmp_path / "state.txt").write_text("x")
    with reading() as read, (tmp_path / "state.txt").open("r+") as file:
        file.write("y")
    assert names(read) == set()


def test_code_metadata_and_the_system_are_no_data(tmp_path: Path) -> None:
    left_out = ["a.py", "b.cpython-311.so", "x-1.0.dist-info/METADATA", "__pycache__/a.pyc", ".git/HEAD"]
    assert not any(is_data(tmp_path / name) for name in left_out)
    assert not is_data(Path("/proc/self/maps"))
    assert is_data(tmp_path / "site-packages" / "package" / "model.safetensors")


@pytest.mark.parametrize("fails", [False, True])
def test_safe_open_is_what_it_was_afterwards(fails: bool) -> None:
    import safetensors.torch as module

    before = safetensors.safe_open, vars(module)["safe_open"]
    try:
        with reading():
            assert vars(module)["safe_open"] is not before[1]
            with reading():
                pass
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert (safetensors.safe_open, vars(module)["safe_open"]) == before


def test_an_outer_reading_hears_what_an_inner_one_does(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("x")
    with reading() as outer, reading() as inner:
        (tmp_path / "d.txt").read_text()
    assert names(outer) == names(inner) == {"d.txt"}
    (tmp_path / "e.txt").write_text("x")
    assert (tmp_path / "e.txt").read_text() == "x"
    assert names(outer) == {"d.txt"}
