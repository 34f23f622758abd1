from __future__ import annotations

from pathlib import Path

import pytest

from porting.errors import OutputError
from porting.scaffold.writing import place, refuse_existing, staged

FILES = {"portfile.py": "x = 1\n", ".gitignore": "traces/\n"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_made_with_all_that_is_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with staged(folder) as staging:
        assert staging.parent == folder.parent
        (staging / "scratch").write_text("")
        written = place(FILES, staging, folder)
    assert names(folder) == set(FILES)
    assert names(folder.parent) == {"b"}
    assert [path.read_text() for path in written] == list(FILES.values())


def test_an_empty_folder_that_is_there_stays_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    refuse_existing(folder)
    with staged(folder) as staging:
        place(FILES, staging, folder)
    assert names(Path.cwd()) == set(FILES)
    assert names(tmp_path) == {"work"}


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "a" / "b"):
        _ = 1 / 0
    assert names(tmp_path) == set()


def test_a_disk_that_refuses_is_an_error_with_a_hint_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught, staged(tmp_path / "file" / "work"):
        pass
    assert "--output" in caught.value.hint
    with pytest.raises(OutputError), staged(tmp_path / "work") as staging:
        place({"no/such/folder.txt": ""}, staging, tmp_path / "work")
    assert names(tmp_path) == {"file"}


def test_a_file_or_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(OutputError, match="is no folder"):
            refuse_existing(tmp_path / name)
