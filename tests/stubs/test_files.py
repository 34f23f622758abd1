"""Generated files are written whole, with the folders that they need, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from porting.errors import OutputError
from porting.stubs.files import write_files


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_folders_are_made_for_files(tmp_path: Path) -> None:
    write_files({tmp_path / "a" / "b" / "c.py": "text", tmp_path / "d.bin": b"\0"}, hint="")
    assert names(tmp_path) == {"a", "a/b", "a/b/c.py", "d.bin"}


def test_a_disk_that_refuses_leaves_whole_files_and_no_folder_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = iter([None])

    def refuse_second(_: int) -> None:
        if next(synced, "no more") == "no more":
            raise OSError(28, os.strerror(28))

    (tmp_path / "there").mkdir()
    monkeypatch.setattr("porting.atomic.os.fsync", refuse_second)
    files = {tmp_path / "one" / "a.py": "text", tmp_path / "two" / "b" / "c.py": "text", tmp_path / "there" / "d": ""}
    with pytest.raises(OutputError, match="No space left"):
        write_files(files, hint="")
    assert names(tmp_path) == {"one", "one/a.py", "there"}


def test_a_folder_that_cannot_be_made_gives_the_hint(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder") as caught:
        write_files({tmp_path / "a" / "b" / "c.py": ""}, hint="name another place")
    assert caught.value.hint == "name another place"
