from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tracing import content, only, returned, small

from porting.errors import OutputError
from porting.trace import open_trace, require_writable, save_trace
from porting.trace.folders import MANIFEST


def test_an_earlier_trace_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "trace"
    save_trace(returned(**{f"t{index}": torch.full((3,), index) for index in range(5)}), folder)
    save_trace(small(), folder)
    assert content(open_trace(folder)) == content(small())
    assert only(tmp_path, "trace")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "trace").mkdir()
    assert content(open_trace(save_trace(small(), tmp_path / "trace"))) == content(small())


def a_folder_with_other_files(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")


def a_trace_with_other_files(place: Path) -> None:
    save_trace(small(), place)
    (place / "notes.txt").write_text("mine")


def a_web_application(place: Path) -> None:
    place.mkdir()
    (place / MANIFEST).write_text('{"name": "mine"}')


def a_file(place: Path) -> None:
    place.write_text("mine")


def a_link_to_a_trace(place: Path) -> None:
    place.symlink_to(save_trace(small(), place.with_name("real")))


def a_dangling_link(place: Path) -> None:
    place.symlink_to("nowhere")


def shards_without_a_manifest(place: Path) -> None:
    (save_trace(small(), place) / MANIFEST).unlink()


@pytest.mark.parametrize(
    "make",
    [
        a_folder_with_other_files,
        a_trace_with_other_files,
        a_web_application,
        a_file,
        a_link_to_a_trace,
        a_dangling_link,
        shards_without_a_manifest,
    ],
)
def test_anything_else_is_not_replaced(make: Callable[[Path], None], tmp_path: Path) -> None:
    place = tmp_path / "trace"
    make(place)
    before = sorted((path, path.lstat().st_mtime_ns, path.lstat().st_size) for path in tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="exists and is not a trace"):
        save_trace(small(), place)
    assert sorted((path, path.lstat().st_mtime_ns, path.lstat().st_size) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["file/trace", "x" * 250, "x" * 300])
def test_a_place_that_cannot_be_written_is_an_output_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*: "):
        save_trace(small(), tmp_path / name)
    assert only(tmp_path, "file")


@pytest.mark.parametrize(("name", "reason"), [("file/trace", "is no folder"), ("file", "is not a trace")])
def test_a_place_that_cannot_hold_a_trace_is_refused_before_the_run(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=reason):
        require_writable(tmp_path / name)
    require_writable(tmp_path / "new" / "trace")
    assert only(tmp_path, "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_that_may_not_be_written_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        save_trace(small(), tmp_path / "trace")
    assert only(tmp_path)


def test_a_mkdir_that_is_refused_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        save_trace(small(), tmp_path / "trace")
    assert only(tmp_path)


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    for kind in ("partial", "replaced"):
        stale = tmp_path / f"trace.{kind}-{os.getpid()}"
        stale.mkdir()
        (stale / "tensors-00001.safetensors").write_bytes(b"half")
    save_trace(small(), tmp_path / "trace")
    assert content(open_trace(save_trace(small(), tmp_path / "trace"))) == content(small())
    assert only(tmp_path, "trace")


def test_the_files_have_the_rights_of_ordinary_files(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    folder = save_trace(small(), tmp_path / "trace")
    assert {path.stat().st_mode for path in folder.iterdir()} == {(tmp_path / "ordinary").stat().st_mode}
